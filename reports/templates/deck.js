"use strict";
(() => {
const root = document.documentElement;
const slides = [...document.querySelectorAll(".slide")];
const bar = document.getElementById("bar");
const place = document.getElementById("place");
const black = document.getElementById("black");
const help = document.getElementById("help");
const began = Date.now();
let now = 0;
let speaker = null;
let asleep = 0;

const shown = () => root.classList.contains("shown");
const overview = () => root.classList.contains("overview");
const within = number => Math.max(0, Math.min(slides.length - 1, number));
const title = slide => slide ? slide.querySelector("h1,h2").textContent : "The end";

function asked() {
  const found = /^#(\d+)$/.exec(location.hash);
  return found ? within(Number(found[1]) - 1) : 0;
}

function go(number, focus = true) {
  now = within(number);
  slides.forEach((slide, at) => {
    slide.classList.toggle("now", at === now);
    if (overview()) slide.setAttribute("tabindex", at === now ? "0" : "-1"); else slide.removeAttribute("tabindex");
  });
  place.textContent = `${now + 1} / ${slides.length}`;
  if (location.hash !== `#${now + 1}`) history.replaceState(null, "", `#${now + 1}`);
  if (focus && shown()) slides[now].querySelector("h1,h2").focus({ preventScroll: true });
  if (focus && overview()) slides[now].focus();
  tell();
}

function mode(name) {
  root.classList.remove("shown", "overview");
  if (name) root.classList.add(name);
  go(now);
  if (!name) slides[now].scrollIntoView();
}

function fullscreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else if (root.requestFullscreen) root.requestFullscreen().catch(() => {});
}

function clock() {
  if (!speaker || speaker.closed) return;
  const passed = Math.floor((Date.now() - began) / 1000);
  const two = number => String(number).padStart(2, "0");
  const page = speaker.document;
  page.getElementById("clock").textContent = new Date().toTimeString().slice(0, 5);
  page.getElementById("passed").textContent = `${two(Math.floor(passed / 60))}:${two(passed % 60)}`;
}

function tell() {
  if (!speaker || speaker.closed) return;
  const page = speaker.document;
  const put = (name, text) => { page.getElementById(name).textContent = text; };
  put("where", `${now + 1} / ${slides.length}`);
  put("said", title(slides[now]));
  put("after", title(slides[now + 1]));
  const notes = page.getElementById("notes");
  notes.replaceChildren();
  for (const part of slides[now].querySelectorAll(".caveat,.notes > p,.notes .scroll")) {
    if (part.textContent) notes.append(page.importNode(part, true));
  }
  for (const [name, slide] of [["view", slides[now]], ["next", slides[now + 1]]]) {
    const copy = page.createElement("div");
    copy.className = "slide";
    if (slide) {
      copy.className = slide.className;
      copy.append(page.importNode(slide.querySelector(".face"), true));
      for (const one of copy.querySelectorAll("[id]")) if (!one.closest("svg")) one.removeAttribute("id");
      for (const one of copy.querySelectorAll("[tabindex]")) one.removeAttribute("tabindex");
    }
    page.getElementById(name).replaceChildren(copy);
  }
  clock();
}

function openNotes() {
  if (speaker && !speaker.closed) { speaker.focus(); return; }
  speaker = window.open("about:blank", "boxbench-notes", "width=1200,height=800");
  if (!speaker) { place.textContent = "the browser blocked the window"; return; }
  const page = speaker.document;
  page.title = "Notes: " + document.title;
  page.documentElement.lang = "en";
  const style = page.createElement("style");
  style.textContent = document.querySelector("style").textContent +
    "#s{display:grid;grid-template-columns:3fr 2fr;gap:1rem;padding:1rem}#s h1,#s h2{font-size:1rem;margin:0 0 .4rem}" +
    "#s .slide{margin:0;pointer-events:none}#s .face h1,#s .face h2{font-size:inherit}#s .face .large{font-size:4.4em}" +
    "#s .face .middle{font-size:3.4em}#s .face .small{font-size:2.7em}#s .face .tiny{font-size:2.2em}" +
    "#notes{font-size:1.15rem;line-height:1.5}#notes p{margin:.4rem 0}#time{font-size:2rem;display:flex;gap:2rem}";
  page.head.append(style);
  const make = (kind, id, parent, text = "") => {
    const one = page.createElement(kind);
    if (id) one.id = id;
    one.textContent = text;
    parent.append(one);
    return one;
  };
  const main = make("main", "s", page.body);
  const left = make("div", "", main);
  const head = make("h1", "", left, "Slide ");
  make("span", "where", head);
  make("p", "said", left);
  make("div", "view", left);
  make("h2", "", left, "Notes");
  make("div", "notes", left);
  const right = make("div", "", main);
  const time = make("p", "time", right);
  make("span", "clock", time);
  make("span", "passed", time);
  make("h2", "", right, "Next");
  make("p", "after", right);
  make("div", "next", right);
  speaker.addEventListener("keydown", key);
  tell();
  clock();
}

const acts = {
  next: () => go(now + 1), back: () => go(now - 1), first: () => go(0), last: () => go(slides.length - 1),
  full: fullscreen, overview: () => mode(overview() ? "shown" : "overview"), page: () => mode(shown() ? "" : "shown"),
  black: () => { black.hidden = !black.hidden; }, notes: openNotes, help: () => help.open ? help.close() : help.showModal(),
};
const keys = {
  ArrowRight: "next", ArrowDown: "next", PageDown: "next", " ": "next", ArrowLeft: "back", ArrowUp: "back", PageUp: "back",
  Home: "first", End: "last", f: "full", o: "overview", b: "black", ".": "black", s: "notes", p: "page", "?": "help",
};

function key(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const on = event.target;
  const pressed = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (pressed === "Escape" && !black.hidden) { black.hidden = true; return; }
  if (pressed === "Escape" && overview()) { mode("shown"); return; }
  if (pressed === "Enter" && overview() && on.classList.contains("slide")) { mode("shown"); return; }
  let act = pressed === " " && event.shiftKey ? "back" : keys[pressed];
  if (!act || help.open && act !== "help") return;
  const moves = ["next", "back", "first", "last"].includes(act);
  if (pressed === " " && on.closest && on.closest("button,summary")) return;
  if (moves && !shown() && !overview() && on.ownerDocument === document) return;
  event.preventDefault();
  if (!black.hidden && act !== "black") black.hidden = true;
  acts[act]();
}

function wake() {
  root.classList.add("awake");
  clearTimeout(asleep);
  asleep = setTimeout(() => root.classList.remove("awake"), 2000);
}

document.addEventListener("keydown", key);
document.addEventListener("pointermove", wake);
bar.addEventListener("click", event => {
  const button = event.target.closest("button");
  if (button) acts[button.dataset.do]();
});
black.addEventListener("click", acts.black);
document.getElementById("deck").addEventListener("click", event => {
  const slide = event.target.closest(".slide");
  if (overview() && slide) { now = slides.indexOf(slide); mode("shown"); }
});
let touched = null;
document.addEventListener("touchstart", event => { touched = event.touches[0].clientX; }, { passive: true });
document.addEventListener("touchend", event => {
  const moved = event.changedTouches[0].clientX - touched;
  if (shown() && Math.abs(moved) > 60) go(now + (moved < 0 ? 1 : -1));
}, { passive: true });
window.addEventListener("hashchange", () => go(asked()));
window.addEventListener("pagehide", () => { if (speaker && !speaker.closed) speaker.close(); });
setInterval(clock, 1000);
bar.hidden = false;
now = asked();
if (matchMedia("(min-width: 701px)").matches) mode("shown"); else go(now, false);
})();
