// Predict, then reveal: an answer is committed once, and then compared with what was measured.
"use strict";

// Templates have names in braces, and no more.
const fill = (template, fields) => template.replace(/\{(\w+)\}/g, (_, name) => fields[name]);

function prepareQuestion(form, asked, replies) {
  form.querySelector(".measured").remove(); // it is there for a page without this script
  form.querySelector(".commit").hidden = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    answerQuestion(form, asked, replies);
  });
}

function answerQuestion(form, asked, replies) {
  const typed = new FormData(form).get(form.dataset.question)?.trim() ?? "";
  const wrong = asked.choices.length ? (typed ? "" : "empty") : refusedNumber(typed, asked);
  const reply = form.querySelector(".reply");
  reply.textContent = wrong ? fill(replies[wrong], { typed, ...asked }) : verdict(typed, asked, replies);
  if (wrong) return;
  form.querySelector("fieldset").disabled = true; // an answer is committed once
  for (const link of form.querySelectorAll(".see")) link.hidden = false;
  reply.focus();
}

function refusedNumber(typed, { low, high }) {
  if (!typed) return "empty";
  if (!Number.isFinite(Number(typed))) return "no number";
  return Number(typed) < low || Number(typed) > high ? "outside" : "";
}

function verdict(typed, asked, replies) {
  const { truth, why, unit } = asked;
  if (asked.choices.length) {
    return fill(replies[typed === truth ? "right" : "wrong"], { answer: typed, truth, why });
  }
  const off = Number(typed) - truth;
  const name = Math.abs(off) <= asked.close ? "close" : off > 0 ? "too high" : "too low";
  const fields = { answer: Number(typed), truth: truth.toFixed(1), off: Math.abs(off).toFixed(1), unit, why };
  return fill(replies[name], fields);
}
