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

// How near is near enough was decided in Python, by the rule of the notebooks: `close` comes with the answer.
function verdict(typed, { choices, truth, measured, close, decimals, why }, replies) {
  const off = Number(typed) - truth;
  let name = Math.abs(off) <= close ? "close" : off > 0 ? "too high" : "too low";
  if (choices.length) name = typed === truth ? "right" : "wrong";
  const answer = choices.length ? typed : Number(typed);
  return `${fill(replies[name], { answer, truth, measured, off: Math.abs(off).toFixed(decimals) })} ${why}`;
}
