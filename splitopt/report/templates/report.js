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
    let folded = target && target.closest("details");
    if (!folded) return;
    for (; folded; folded = folded.parentElement.closest("details")) folded.open = true;
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

  // Charts of fronts: drag, or buttons, to enlarge a part; set a budget to see what it costs, hide points.
  const make = (parent, name, attributes, says) => {
    const made = document.createElementNS(parent.namespaceURI, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (says !== undefined) made.textContent = says;
    parent.append(made);
    return made;
  };
  const roundTicks = (low, high) => {
    const power = 10 ** Math.floor(Math.log10((high - low) / 6));
    const step = [1, 2, 5, 10].map((k) => k * power).find((s) => s * 6 >= (high - low) * 0.999);
    const found = [];
    for (let k = Math.ceil(low / step); k * step <= high; k++) found.push(Number((k * step).toPrecision(12)));
    return found;
  };
  for (const svg of document.querySelectorAll("svg[data-frame]")) {
    const [left, right, top, bottom, ...whole] = svg.dataset.frame.split(" ").map(Number);
    let view = whole;
    const place = ([lowX, highX, lowY, highY], x, y) => [
      left + ((x - lowX) / (highX - lowX)) * (right - left),
      bottom - ((y - lowY) / (highY - lowY)) * (bottom - top),
    ];
    const points = [...svg.querySelectorAll("a[data-x]")];
    const labels = [...svg.querySelectorAll(".point-labels > g")];
    const axis = svg.querySelector(".axis");
    const names = [...axis.querySelectorAll("text")].slice(-2);
    const box = document.createElement("p");
    box.className = "controls";
    svg.closest("figure").prepend(box);
    const label = make(box, "label", {}, "Budget, KiB: ");
    const budget = make(label, "input", { type: "number", min: 1, step: "any" });
    const only = make(make(box, "label", {}, " "), "input", { type: "checkbox", checked: "" });
    only.after(" dominated, too");
    only.parentElement.hidden = !svg.querySelector(".point-dominated");
    const button = (says, name) => make(box, "button", { type: "button", "aria-label": name || says, title: name || says }, says);
    const closer = button("+", "Enlarge around the chosen plan, or the middle");
    const wider = button("\u2212", "Show more");
    const moves = [["\u2190", "left", -1, 0], ["\u2192", "right", 1, 0], ["\u2191", "up", 0, 1], ["\u2193", "down", 0, -1]]
      .map(([says, name, x, y]) => [button(says, "Move " + name), x, y]);
    const back = button("Whole chart");
    const says = make(box, "output", {});
    const rule = make(svg, "line", { class: "line-asked", y1: top, y2: bottom, style: "display: none" });
    const isWhole = () => view.every((end, k) => end === whole[k]);
    const draw = () => {
      for (const one of [wider, back, ...moves.map(([one]) => one)]) one.hidden = isWhole();
      axis.replaceChildren();
      for (const tick of roundTicks(view[0] / 1024, view[1] / 1024)) {
        const [x] = place(view, tick * 1024, 0);
        make(axis, "line", { class: "grid", x1: x, x2: x, y1: top, y2: bottom });
        make(axis, "text", { x, y: bottom + 17, "text-anchor": "middle" }, tick.toLocaleString("en"));
      }
      for (const tick of roundTicks(view[2] / 1e6, view[3] / 1e6)) {
        const [, y] = place(view, 0, tick * 1e6);
        make(axis, "line", { class: "grid", x1: left, x2: right, y1: y, y2: y });
        make(axis, "text", { x: left - 7, y: y + 4, "text-anchor": "end" }, tick.toLocaleString("en"));
      }
      axis.append(...names);
      const most = budget.value === "" ? Infinity : Number(budget.value) * 1024;
      const fitting = points.filter((p) => Number(p.dataset.x) <= most);
      fitting.sort((a, b) => a.dataset.y - b.dataset.y || a.dataset.x - b.dataset.x);
      for (const one of [...points, ...labels, ...svg.querySelectorAll(":scope > line[data-x]")]) {
        const x = Number(one.dataset.x), y = Number(one.dataset.y || view[2]);
        const [x0, y0] = place(whole, x, one.dataset.y ? y : whole[2]);
        const [x1, y1] = place(view, x, y);
        const out = x < view[0] || x > view[1] || y < view[2] || y > view[3];
        const hidden = !only.checked && one.closest(".point-dominated");
        one.setAttribute("transform", `translate(${x1 - x0} ${one.dataset.y ? y1 - y0 : 0})`);
        one.style.display = out || hidden ? "none" : "";
        one.classList.toggle("beyond", x > most);
        one.classList.toggle("chosen", most < Infinity && one === fitting[0]);
      }
      const [at] = place(view, most, 0);
      const seen = most >= view[0] && most <= view[1];
      rule.style.display = seen ? "" : "none";
      if (seen) for (const end of ["x1", "x2"]) rule.setAttribute(end, at);
      says.replaceChildren();
      if (most === Infinity) return;
      if (!fitting.length) says.textContent = "none of these plans fits";
      else make(says, "a", { href: fitting[0].getAttribute("href") }, labelOf(fitting[0].firstElementChild));
    };
    const look = (middle, part) => {
      view = [0, 2].flatMap((k) => {
        const size = (view[k + 1] - view[k]) * part;
        if (size >= whole[k + 1] - whole[k]) return [whole[k], whole[k + 1]];
        const low = Math.min(Math.max(middle[k / 2] - size / 2, whole[k]), whole[k + 1] - size);
        return [low, low + size];
      });
      draw();
    };
    const middle = () => [(view[0] + view[1]) / 2, (view[2] + view[3]) / 2];
    closer.addEventListener("click", () => {
      const chosen = points.find((p) => p.classList.contains("chosen"));
      look(chosen ? [Number(chosen.dataset.x), Number(chosen.dataset.y)] : middle(), 1 / 2);
    });
    wider.addEventListener("click", () => look(middle(), 2));
    for (const [one, x, y] of moves) {
      one.addEventListener("click", () => {
        const [atX, atY] = middle();
        look([atX + (x * (view[1] - view[0])) / 2, atY + (y * (view[3] - view[2])) / 2], 1);
      });
    }
    const pointed = (event) => {
      const scale = svg.getBoundingClientRect();
      const wide = svg.viewBox.baseVal;
      return [((event.clientX - scale.left) * wide.width) / scale.width, ((event.clientY - scale.top) * wide.height) / scale.height];
    };
    let from = null, band = null;
    svg.addEventListener("pointerdown", (event) => {
      if (event.pointerType !== "mouse" || event.button || event.target.closest("a")) return;
      event.preventDefault();
      from = pointed(event);
      band = make(svg, "rect", { class: "band" });
      svg.setPointerCapture(event.pointerId);
    });
    svg.addEventListener("pointermove", (event) => {
      if (!from) return;
      const to = pointed(event);
      for (const [k, name, size] of [[0, "x", "width"], [1, "y", "height"]]) {
        band.setAttribute(name, Math.min(from[k], to[k]));
        band.setAttribute(size, Math.abs(from[k] - to[k]));
      }
    });
    svg.addEventListener("pointerup", (event) => {
      if (!from) return;
      const to = pointed(event);
      band.remove();
      const x = [from[0], to[0]].sort((a, b) => a - b).map((v) => view[0] + ((v - left) / (right - left)) * (view[1] - view[0]));
      const y = [from[1], to[1]].sort((a, b) => b - a).map((v) => view[2] + ((bottom - v) / (bottom - top)) * (view[3] - view[2]));
      const isWide = Math.abs(from[0] - to[0]) > 8 && Math.abs(from[1] - to[1]) > 8;
      from = null;
      if (!isWide) return;
      view = [Math.max(x[0], whole[0]), Math.min(x[1], whole[1]), Math.max(y[0], whole[2]), Math.min(y[1], whole[3])];
      draw();
    });
    back.addEventListener("click", () => {
      view = whole;
      draw();
    });
    budget.addEventListener("input", draw);
    only.addEventListener("change", draw);
    for (const one of [wider, back, ...moves.map(([one]) => one)]) one.hidden = true;
    document.documentElement.classList.add("has-script");
  }
})();
