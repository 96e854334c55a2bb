// People and rooms: beside the lines on a wide screen, over them on a narrow one when asked for.

import { byId } from "./page.js";

export const isNarrow = matchMedia("(max-width: 52rem)");

function show(isOpen) {
  const isOver = isOpen && isNarrow.matches;
  byId("panel").classList.toggle("open", isOver);
  byId("panel-toggle").ariaExpanded = String(isOver);
  // What lies below is neither read nor reached.
  document.querySelector("main").inert = isOver;
  document.querySelector("header").inert = isOver;
}

export function openPanel(focused) {
  show(true);
  byId(focused).focus();
  byId(focused).select?.(); // what is typed takes the place of what is there
}

// Who left can change nothing here before coming back.
export function usePanel(isOfUse) {
  byId("panel-state").hidden = isOfUse;
  for (const button of document.querySelectorAll("#panel .changes")) {
    button.disabled = !isOfUse;
  }
}

export function closePanel() {
  show(false);
}

function goBack() {
  closePanel();
  byId("panel-toggle").focus();
}

byId("panel-toggle").addEventListener("click", () => openPanel("panel-close"));
byId("panel-close").addEventListener("click", goBack);
byId("panel").addEventListener("keydown", (event) => {
  if (event.key === "Escape" && byId("panel").classList.contains("open")) {
    goBack();
  }
});
isNarrow.addEventListener("change", closePanel);
