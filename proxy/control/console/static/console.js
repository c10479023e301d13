// The console's one script. Every page works without it; with it, lists refresh themselves and keys help.
"use strict";

(() => {
  const html = globalThis.trustedTypes
    ? trustedTypes.createPolicy("console", { createHTML: (text) => text })
    : { createHTML: (text) => text };
  const announce = (text) => { const place = document.getElementById("announce"); if (place) place.textContent = text; };
  document.documentElement.classList.add("scripted");

  // `/` goes to the search field, Escape leaves it and closes menus.
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select, [contenteditable]");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      const find = document.getElementById("find");
      if (find) { event.preventDefault(); find.focus(); find.select(); }
    }
    if (event.key === "Escape") {
      const open = event.target.closest("details[open].menu, details[open].account, details[open].act");
      if (open) { open.open = false; open.querySelector("summary").focus(); } else if (event.target.id === "find") event.target.blur();
    }
  });
  document.addEventListener("click", (event) => {
    for (const open of document.querySelectorAll(".top details[open]")) if (!open.contains(event.target)) open.open = false;
  });

  // On a phone, filters that are not in use are folded.
  if (matchMedia("(max-width: 820px)").matches) {
    for (const box of document.querySelectorAll("details[data-fold]:not([data-in-use])")) box.open = false;
  }

  // A choice that is a place to go to, such as the tenant's.
  for (const choice of document.querySelectorAll("select[data-go]")) {
    choice.addEventListener("change", () => choice.form.requestSubmit());
  }

  // A form is sent once, and says that it is on its way. Coming back to the page makes it ready again.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post") return;
    if (form.ariaBusy === "true") { event.preventDefault(); return; }
    form.ariaBusy = "true";
    announce("Working …");
  });
  addEventListener("pageshow", () => { for (const form of document.querySelectorAll("form[aria-busy]")) form.ariaBusy = null; });

  // Copying a secret that is shown once.
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button[data-copy]");
    if (!button) return;
    try {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent.trim());
      button.textContent = "Copied"; announce("Copied");
    } catch { button.textContent = "Select and copy it"; }
  });

  // The editor: numbers beside the lines, and a problem's link leads to its line.
  for (const editor of document.querySelectorAll(".editor")) {
    const text = editor.querySelector("textarea"), gutter = editor.querySelector(".gutter");
    const marked = new Set([...gutter.querySelectorAll(".at")].map((line) => Number(line.textContent)));
    const number = () => {
      const lines = text.value.split("\n").length;
      while (gutter.children.length > lines) gutter.lastElementChild.remove();
      for (let line = gutter.children.length + 1; line <= lines; line += 1) {
        const item = document.createElement("span");
        item.textContent = line;
        if (marked.has(line)) item.className = "at";
        gutter.append(item);
      }
      text.rows = Math.max(lines, 14) + 1;
    };
    text.addEventListener("input", number);
    document.addEventListener("click", (event) => {
      const link = event.target.closest("a[data-line]");
      if (!link) return;
      event.preventDefault();
      const line = Number(link.dataset.line), lines = text.value.split("\n");
      const start = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
      text.focus({ preventScroll: true });
      text.setSelectionRange(start, start + (lines[line - 1] ?? "").length);
      editor.scrollIntoView({ block: "nearest" });
      editor.scrollTop = Math.max(0, (line - 6) * 20);
    });
    number();
  }

  // Nobody's screen keeps a session alive: after a quarter of an hour without a hand on it, lists stand still.
  const LEFT_ALONE = 15 * 60 * 1000;
  let touched = Date.now();
  for (const kind of ["pointerdown", "pointermove", "keydown", "wheel"]) addEventListener(kind, () => { touched = Date.now(); }, { passive: true });

  // A list that refreshes itself: the same address is asked for that part of the page only.
  for (const live of document.querySelectorAll("[data-live]")) {
    const every = Number(live.dataset.live) * 1000, name = live.dataset.fragment;
    const control = document.querySelector(`[data-live-switch="${name}"]`);
    let paused = false, timer = 0;
    const state = (word) => { if (control) { control.classList.toggle("paused", paused); control.querySelector(".word").textContent = word; } };
    const refresh = async () => {
      if (Date.now() - touched > LEFT_ALONE) { state("Waiting for you"); return; }
      if (paused || document.hidden || live.contains(document.activeElement) || String(getSelection())) return;
      try {
        const answer = await fetch(location.href, { headers: { "X-Console-Fragment": name }, credentials: "same-origin" });
        if (answer.status === 401) { paused = true; state("Signed out"); return; }
        if (!answer.ok) { state("Cannot be reached"); return; }
        const seen = new Set([...live.querySelectorAll("[data-id]")].map((row) => row.dataset.id));
        live.innerHTML = html.createHTML(await answer.text());
        let fresh = 0;
        for (const row of live.querySelectorAll("[data-id]")) if (!seen.has(row.dataset.id)) { row.classList.add("fresh"); fresh += 1; }
        if (fresh) announce(`${fresh} new`);
        state("Live");
      } catch { state("Cannot be reached"); }
    };
    const again = () => { clearTimeout(timer); timer = setTimeout(async () => { await refresh(); again(); }, every); };
    if (control) control.addEventListener("click", () => { paused = !paused; state(paused ? "Paused" : "Live"); if (!paused) refresh(); });
    document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
    again();
  }
})();
