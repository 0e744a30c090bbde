"use strict";
// A player of our own: notes are set to sound a little ahead of the clock of the sound device, so that the
// page may be busy, and those that sound are lit up in the score. One tune plays at a time.
const AHEAD_S = 0.25;
const RELEASE_S = 0.06;
const PARTIALS = [0, 1, 0.42, 0.2, 0.09, 0.05];
let sound = null;
let playing = null;

const clockText = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

function startSound() {
  if (!sound) {
    const context = new AudioContext();
    const out = context.createGain();
    out.gain.value = 0.35;
    const limiter = context.createDynamicsCompressor();
    out.connect(limiter).connect(context.destination);
    const wave = context.createPeriodicWave(new Float32Array(PARTIALS.length), new Float32Array(PARTIALS));
    sound = { context, out, wave };
  }
  return sound.context.resume();
}

function strike(pitch, at, seconds) {
  const { context, out, wave } = sound;
  const voice = context.createOscillator();
  const loudness = context.createGain();
  voice.setPeriodicWave(wave);
  voice.frequency.value = 440 * 2 ** ((pitch - 69) / 12);
  const end = at + Math.max(seconds * 0.94, 0.03);
  loudness.gain.setValueAtTime(0, at);
  loudness.gain.linearRampToValueAtTime(0.8, at + Math.min(0.02, seconds / 4));
  loudness.gain.linearRampToValueAtTime(0.45, end);
  loudness.gain.linearRampToValueAtTime(0, end + RELEASE_S);
  voice.connect(loudness).connect(out);
  voice.start(at);
  voice.stop(end + RELEASE_S);
  voice.onended = () => loudness.disconnect();
  return voice;
}

class Player {
  constructor(tune) {
    this.tune = tune;
    this.events = JSON.parse(tune.dataset.events);
    this.seconds = Number(tune.dataset.seconds);
    this.button = tune.querySelector(".play");
    this.slider = tune.querySelector(".place");
    this.clock = tune.querySelector(".clock");
    this.tempo = tune.querySelector(".tempo");
    this.notes = new Map();
    for (const note of tune.querySelectorAll(".note[data-id]")) {
      const named = this.notes.get(note.dataset.id) ?? [];
      this.notes.set(note.dataset.id, [...named, note]);
    }
    this.lit = new Set();
    this.voices = [];
    this.place = 0;
    this.show();
  }

  get speed() { return Number(this.tempo.value) / 100; }

  async play() {
    if (playing) playing.stop();
    playing = this;
    this.button.textContent = "❚❚";
    await startSound();
    if (playing !== this) return;
    if (this.place >= this.seconds) this.place = 0;
    this.goFrom(this.place);
    this.timer = setInterval(() => this.feed(), 50);
    const frame = () => {
      if (playing !== this) return;
      this.show();
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }

  // The tune's time is a line through the device's time, drawn anew where place or tempo change.
  goFrom(place) {
    this.silence();
    this.place = place;
    if (playing !== this || !sound) { this.show(); return; }
    this.from = place;
    this.origin = sound.context.currentTime + 0.05 - place / this.speed;
    this.next = this.events.findIndex(([onset]) => onset >= place - 1e-6);
    if (this.next < 0) this.next = this.events.length;
    this.feed();
    this.show();
  }

  heard() {
    const place = (sound.context.currentTime - this.origin) * this.speed;
    return Math.min(Math.max(place, this.from), this.seconds);
  }

  feed() {
    const now = sound.context.currentTime;
    for (; this.next < this.events.length; this.next += 1) {
      const [onset, seconds, pitches] = this.events[this.next];
      const at = this.origin + onset / this.speed;
      if (at > now + AHEAD_S) break;
      for (const pitch of pitches) this.voices.push(strike(pitch, Math.max(at, now), seconds / this.speed));
    }
    this.voices = this.voices.slice(-64);
    this.place = this.heard();
    if (this.place >= this.seconds) { this.stop(); this.place = 0; this.show(); }
  }

  show() {
    if (playing === this && sound && this.origin !== undefined) {
      this.place = this.heard();
    }
    this.slider.value = String(this.place);
    this.clock.textContent = `${clockText(this.place)} / ${clockText(this.seconds)}`;
    const names = new Set();
    if (playing === this) {
      for (const [onset, seconds, , ids] of this.events) {
        if (onset > this.place) break;
        if (this.place < onset + seconds) for (const id of ids) names.add(id);
      }
    }
    for (const id of this.lit) if (!names.has(id)) this.light(id, false);
    for (const id of names) if (!this.lit.has(id)) this.light(id, true);
    this.lit = names;
  }

  light(id, on) {
    for (const note of this.notes.get(id) ?? []) note.classList.toggle("lit", on);
  }

  silence() {
    for (const voice of this.voices) { try { voice.stop(); } catch { /* it has ended */ } }
    this.voices = [];
  }

  stop() {
    clearInterval(this.timer);
    this.silence();
    if (playing === this) playing = null;
    this.button.textContent = "▶";
    this.show();
  }

  toggle() { if (playing === this) this.stop(); else this.play(); }
}

const players = new Map();
for (const tune of document.querySelectorAll(".tune")) players.set(tune, new Player(tune));

// The order on the page is the best first; a click shows the order drawn, another the best first again.
const ranked = [".contents", "main"].map((name) => {
  const parent = document.querySelector(name);
  return { parent, entries: [...parent.querySelectorAll(":scope > [data-drawn]")], last: parent.querySelector("footer") };
});

function showOrder(button) {
  const drawn = button.getAttribute("aria-pressed") !== "true";
  for (const { parent, entries, last } of ranked) {
    const shown = drawn ? [...entries].sort((a, b) => a.dataset.drawn - b.dataset.drawn) : entries;
    for (const entry of shown) parent.insertBefore(entry, last);
  }
  button.setAttribute("aria-pressed", String(drawn));
  button.textContent = drawn ? "Show the best first" : "Show in the order drawn";
}

document.addEventListener("click", (event) => {
  const order = event.target.closest(".order");
  if (order) { showOrder(order); return; }
  const player = players.get(event.target.closest(".tune"));
  if (!player) return;
  if (event.target.closest(".play")) player.toggle();
  const note = event.target.closest(".note[data-id]");
  if (!note) return;
  const found = player.events.find(([, , , ids]) => ids.includes(note.dataset.id));
  if (!found) return;
  player.place = found[0];
  if (playing === player) player.goFrom(found[0]); else player.play();
});

document.addEventListener("input", (event) => {
  const player = players.get(event.target.closest(".tune"));
  if (!player) return;
  if (event.target === player.slider) player.goFrom(Number(player.slider.value));
  if (event.target === player.tempo) {
    player.tempo.nextElementSibling.textContent = `${player.tempo.value}%`;
    if (playing === player) player.goFrom(player.place);
  }
});

let last = null;
document.addEventListener("keydown", (event) => {
  if (event.key !== " " || event.target.closest("button, input, summary, a, pre")) return;
  last = playing ?? last ?? players.values().next().value;
  if (last) { event.preventDefault(); last.toggle(); }
});
