// Asks the server how a payment ended, at 1, 2, 3, 5, 8 ... 55 seconds, and leads on as soon as it knows.
(() => {
  "use strict";
  const place = document.getElementById("checking");
  const moments = [1, 2, 3, 5, 8, 13, 21, 34, 55];

  async function ask() {
    try {
      const response = await fetch(place.dataset.url, { headers: { Accept: "application/json" }, cache: "no-store" });
      const answer = await response.json();
      if (answer.location) location.replace(answer.location);
    } catch {
      // No answer now: the next moment asks again, and the words at the end say what then.
    }
  }

  for (const second of moments) setTimeout(ask, second * 1000);
  setTimeout(() => { place.textContent = place.dataset.late; }, 60000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) ask(); });
})();
