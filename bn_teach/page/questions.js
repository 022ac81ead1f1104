// Predict, then reveal: an answer is committed once, and then compared with what was measured.
"use strict";

// Templates have names in braces, and no more.
const fill = (template, fields) => template.replace(/\{(\w+)\}/g, (_, name) => fields[name]);

// No form: in the sandboxed frame of a learning platform a form is never submitted, and says nothing.
function prepareQuestion(question, asked, replies) {
  question.querySelector(".measured").remove(); // it is there for a page without this script
  const commit = question.querySelector(".commit");
  commit.hidden = false;
  commit.addEventListener("click", () => answerQuestion(question, asked, replies));
  question.querySelector(".answers").addEventListener("keydown", ({ key }) => {
    if (key === "Enter") answerQuestion(question, asked, replies);
  });
}

function answerQuestion(question, asked, replies) {
  const typed = question.querySelector("input:checked, input[type=number]")?.value.trim() ?? "";
  const wrong = asked.choices.length ? (typed ? "" : "empty") : refusedNumber(typed, asked);
  const reply = question.querySelector(".reply");
  reply.textContent = wrong ? fill(replies[wrong], { typed, ...asked }) : verdict(typed, asked, replies);
  if (wrong) return;
  question.querySelector("fieldset").disabled = true; // an answer is committed once
  for (const link of question.querySelectorAll(".see")) link.hidden = false;
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
