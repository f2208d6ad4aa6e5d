"use strict";
// Renews the lists when something has changed, and says so beside an open form.
(() => {
  const live = document.getElementById("live");
  const search = document.getElementById("search");
  const lost = document.getElementById("lost");
  const changed = document.getElementById("changed");
  let shown = live && live.firstElementChild.dataset.revision;
  let asked = 0;

  async function get(path) {
    const answer = await fetch(path, { cache: "no-store" });
    if (!answer.ok && answer.status !== 404) throw new Error(answer.status);
    return answer;
  }

  async function renew() {
    const number = ++asked;
    const query = new URLSearchParams(new FormData(search));
    const text = await (await get(`/page/live?${query}`)).text();
    if (number !== asked) return;
    live.innerHTML = text;
    shown = live.firstElementChild.dataset.revision;
  }

  async function look() {
    if (live) {
      const { revision } = await (await get("/page/revision")).json();
      if (revision !== shown) await renew();
    } else if (changed) {
      const contact = await (await get(`/control/contacts/${changed.dataset.contact}`)).json();
      changed.hidden = contact.updated_at === changed.dataset.updated;
    }
  }

  async function poll() {
    try {
      if (!document.hidden) await look();
      lost.hidden = true;
    } catch {
      lost.hidden = false;
    }
    setTimeout(poll, 1000);
  }

  if (search) {
    search.addEventListener("submit", (event) => event.preventDefault());
    search.addEventListener("input", () => renew().catch(() => { lost.hidden = false; }));
  }
  for (const form of document.querySelectorAll("form[data-sure]")) {
    form.addEventListener("submit", (event) => {
      if (!window.confirm(form.dataset.sure)) event.preventDefault();
    });
  }
  setTimeout(poll, 1000);
})();
