// Puts a form of macli into a page:
//   <div data-macli-form="newsletter"></div>
//   <script src="https://…/f/newsletter/embed.js" async></script>
"use strict";

(() => {
  const source = new URL(document.currentScript.src);
  const address = source.href.replace(/\/embed\.js.*$/, "");
  const slug = address.split("/").pop();

  function visitor() {
    return (window.macli && typeof window.macli.visitor === "function" && window.macli.visitor()) || "";
  }

  function fill(place, html) {
    place.innerHTML = html;
    const form = place.querySelector("form");
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const button = form.querySelector("button[type=submit]");
      button.disabled = true;
      const fields = new URLSearchParams(new FormData(form));
      fields.set("_page", location.href);
      if (!fields.get("_visitor") && visitor()) fields.set("_visitor", visitor());
      try {
        const answer = await fetch(address, { method: "POST", body: fields, headers: { Accept: "application/json" } });
        const said = await answer.json();
        if (said.ok && said.redirect) location.assign(said.redirect);
        else if (said.ok) thank(place, said.thanks);
        else fill(place, said.html);
      } catch {
        form.submit(); // without fetch the browser posts the form itself
      }
    });
  }

  function thank(place, lines) {
    place.textContent = "";
    for (const line of lines) {
      const paragraph = document.createElement("p");
      paragraph.textContent = line;
      paragraph.setAttribute("role", "status");
      place.append(paragraph);
    }
  }

  async function start() {
    const places = document.querySelectorAll(`[data-macli-form="${CSS.escape(slug)}"]`);
    if (!places.length) return;
    const token = visitor();
    const query = new URLSearchParams({ lang: document.documentElement.lang || "", _visitor: token });
    const answer = await fetch(`${address}/embed.json?${query}`);
    if (!answer.ok) return;
    const said = await answer.json();
    for (const place of places) fill(place, said.html);
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
