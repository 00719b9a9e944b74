// The 3-D Secure challenge: in a frame over the page it tells its parent when it is over; alone it is a plain form.
const facts = document.documentElement.dataset;
const form = document.forms[0];
const embedded = window.parent !== window && facts.parent !== "";

document.querySelector(".Business").textContent = facts.business;
form.elements.secret.value = facts.secret;

async function finish(outcome) {
  for (const button of document.querySelectorAll("button")) button.disabled = true;
  const body = new URLSearchParams({ secret: facts.secret, outcome, embedded: "yes" });
  await fetch(`/challenge/${facts.intent}`, { method: "POST", body });
  window.parent.postMessage({ kind: "challenge_over" }, facts.parent);
}

form.addEventListener("submit", (event) => {
  if (!embedded) return;
  event.preventDefault();
  finish(event.submitter.value);
});
// Closing is an answer, too: the buyer did not authenticate.
const close = () => (embedded ? finish("fail") : form.requestSubmit(form.querySelector("[value=fail]")));
document.querySelector(".Close").addEventListener("click", close);
document.addEventListener("keydown", (event) => { if (event.key === "Escape") close(); });
document.querySelector("[value=complete]").focus();
