"use strict";
(() => {
  // Marks say what they are: on hover, on tap, and on focus by arrow keys.
  const tip = document.createElement("div");
  tip.id = "tip";
  tip.setAttribute("role", "tooltip");
  tip.hidden = true;
  document.body.append(tip);
  let shown = null;

  const labelOf = (mark) => {
    const title = mark.querySelector(":scope > title");
    if (title) {
      mark.setAttribute("aria-label", title.textContent);
      title.remove(); // else the browser shows it a second time
    }
    return mark.getAttribute("aria-label") || "";
  };
  const markAt = (target) => {
    if (!(target instanceof Element)) return null;
    const inner = target.closest("a") && target.closest("a").firstElementChild;
    const mark = inner || target.closest(".marks > *");
    return mark && mark.closest(".marks") ? mark : null;
  };
  const hide = () => {
    if (shown) shown.classList.remove("on");
    shown = null;
    tip.hidden = true;
  };
  const show = (mark, x, y) => {
    if (shown !== mark) {
      hide();
      tip.textContent = labelOf(mark);
      mark.classList.add("on");
      shown = mark;
    }
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    const left = Math.min(x + 14, innerWidth - box.width - 6);
    const above = y - box.height - 10;
    tip.style.left = Math.max(left, 6) + "px";
    tip.style.top = (above > 0 ? above : y + 18) + "px";
  };
  const showBeside = (mark) => {
    const box = mark.getBoundingClientRect();
    show(mark, box.left + box.width / 2, Math.max(box.top, 0));
  };
  const follow = (event) => {
    const mark = markAt(event.target);
    if (mark) show(mark, event.clientX, event.clientY);
    else hide();
  };
  document.addEventListener("pointermove", follow);
  document.addEventListener("pointerdown", follow);
  const keep = () => {
    if (shown && document.activeElement && markAt(document.activeElement) === shown) showBeside(shown);
    else hide();
  };
  document.addEventListener("scroll", keep, { capture: true, passive: true });
  document.addEventListener("focusin", (event) => {
    const mark = markAt(event.target);
    if (mark) showBeside(mark);
  });
  document.addEventListener("focusout", hide);

  // One tab stop for each drawing; arrow keys go from mark to mark. Links stay tab stops.
  const marksOf = (svg) =>
    [...svg.querySelectorAll(".marks > *")].filter((mark) => mark.localName !== "a");
  const enter = (mark) => {
    labelOf(mark);
    mark.setAttribute("role", "img");
    mark.setAttribute("tabindex", "0");
  };
  for (const svg of document.querySelectorAll("figure svg")) {
    const first = marksOf(svg)[0];
    if (first) enter(first);
  }
  const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") return hide();
    const svg = event.target instanceof Element && event.target.closest("figure svg");
    const last = { Home: -Infinity, End: Infinity }[event.key];
    const step = STEPS[event.key] || last;
    if (!svg || !step) return;
    const marks = marksOf(svg);
    const at = marks.indexOf(event.target);
    if (at < 0) return;
    event.preventDefault();
    const next = marks[Math.min(Math.max(at + step, 0), marks.length - 1)];
    event.target.setAttribute("tabindex", "-1");
    enter(next);
    next.focus();
  });

  // Tables sort by a button in each heading; a cell's data-v is its value where its text is not.
  const valueOf = (row, column) => {
    const cell = row.cells[column];
    const text = cell.dataset.v !== undefined ? cell.dataset.v : cell.textContent.trim();
    return text === "" ? null : isNaN(text) ? text : Number(text);
  };
  const compare = (a, b) => {
    if (a === null || b === null) return (a === null) - (b === null);
    if (typeof a === "number" && typeof b === "number") return a - b;
    return String(a).localeCompare(String(b), "en", { numeric: true });
  };
  const sortBy = (heading) => {
    const down = heading.getAttribute("aria-sort") === "ascending";
    const table = heading.closest("table");
    const column = heading.cellIndex;
    for (const other of heading.parentElement.cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    const keyed = [...table.tBodies[0].rows].map((row) => [valueOf(row, column), row]);
    const empty = keyed.filter(([value]) => value === null);
    const full = keyed.filter(([value]) => value !== null);
    full.sort(([a], [b]) => (down ? compare(b, a) : compare(a, b)));
    table.tBodies[0].append(...[...full, ...empty].map(([, row]) => row));
  };
  for (const heading of document.querySelectorAll("table.sortable thead th")) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    button.addEventListener("click", () => sortBy(heading));
    heading.append(button);
  }

  // A link to a folded point unfolds it; printing a run unfolds everything.
  const unfold = () => {
    const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    const folded = target && target.closest("details");
    if (!folded) return;
    folded.open = true;
    target.scrollIntoView();
  };
  addEventListener("hashchange", unfold);
  unfold();
  let opened = [];
  addEventListener("beforeprint", () => {
    hide();
    opened = [...document.querySelectorAll("details.print:not([open])")];
    for (const one of opened) one.open = true;
  });
  addEventListener("afterprint", () => {
    for (const one of opened) one.open = false;
  });
})();
