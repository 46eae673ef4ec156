// Sends answers without leaving the page. Without this script the forms work as forms do.
const counter = document.getElementById("answered");

async function send(form, button) {
  const fields = new URLSearchParams(new FormData(form, button));
  const reply = await fetch(form.action, { method: "POST", body: fields, headers: { Accept: "application/json" } });
  if (!reply.ok || reply.redirected) throw new Error(`status ${reply.status}`);
  return reply.json();
}

function tell(form, result, text) {
  form.dataset.result = result;
  form.querySelector("[role=status]").textContent = text;
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("form.question")) return;
  event.preventDefault();
  try {
    const answer = await send(form, event.submitter);
    if (!form.dataset.result) counter.textContent = Number(counter.textContent) + 1;
    tell(form, answer.correct ? "right" : "wrong", answer.correct ? "Right!" : `It is ${answer.correctAnswer}.`);
  } catch (error) {
    tell(form, "failed", `This was not stored (${error.message}). Try again.`);
  }
});
