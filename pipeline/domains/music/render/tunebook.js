"use strict";
// The player. It schedules notes a little before they sound, on the clock of the sound device, so that a busy
// page does not delay them. Notes that sound are lit up in the score. One tune plays at a time.
const LOOKAHEAD_S = 0.25;
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

function startNote(pitch, at, seconds) {
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
    this.slider = tune.querySelector(".position");
    this.clock = tune.querySelector(".clock");
    this.tempo = tune.querySelector(".tempo");
    this.notes = new Map();
    for (const note of tune.querySelectorAll(".note[data-id]")) {
      const named = this.notes.get(note.dataset.id) ?? [];
      this.notes.set(note.dataset.id, [...named, note]);
    }
    this.lit = new Set();
    this.voices = [];
    this.position = 0;
    this.show();
  }

  get speed() { return Number(this.tempo.value) / 100; }

  async play() {
    if (playing) playing.stop();
    playing = this;
    this.button.textContent = "❚❚";
    await startSound();
    if (playing !== this) return;
    if (this.position >= this.seconds) this.position = 0;
    this.playFrom(this.position);
    this.timer = setInterval(() => this.feed(), 50);
    const frame = () => {
      if (playing !== this) return;
      this.show();
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }

  // Time in the tune is a linear function of the device's time; a new position or tempo gives a new function.
  playFrom(position) {
    this.silence();
    this.position = position;
    if (playing !== this || !sound) { this.show(); return; }
    this.from = position;
    this.origin = sound.context.currentTime + 0.05 - position / this.speed;
    this.next = this.events.findIndex(([onset]) => onset >= position - 1e-6);
    if (this.next < 0) this.next = this.events.length;
    this.feed();
    this.show();
  }

  currentPosition() {
    const position = (sound.context.currentTime - this.origin) * this.speed;
    return Math.min(Math.max(position, this.from), this.seconds);
  }

  feed() {
    const now = sound.context.currentTime;
    for (; this.next < this.events.length; this.next += 1) {
      const [onset, seconds, pitches] = this.events[this.next];
      const at = this.origin + onset / this.speed;
      if (at > now + LOOKAHEAD_S) break;
      for (const pitch of pitches) this.voices.push(startNote(pitch, Math.max(at, now), seconds / this.speed));
    }
    this.voices = this.voices.slice(-64);
    this.position = this.currentPosition();
    if (this.position >= this.seconds) { this.stop(); this.position = 0; this.show(); }
  }

  show() {
    if (playing === this && sound && this.origin !== undefined) {
      this.position = this.currentPosition();
    }
    this.slider.value = String(this.position);
    this.clock.textContent = `${clockText(this.position)} / ${clockText(this.seconds)}`;
    const names = new Set();
    if (playing === this) {
      for (const [onset, seconds, , ids] of this.events) {
        if (onset > this.position) break;
        if (this.position < onset + seconds) for (const id of ids) names.add(id);
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

// The button switches between two orders: the best first, and the order in which the tunes were sampled.
const ranked = [".contents", "main"].map((name) => {
  const parent = document.querySelector(name);
  return { parent, entries: [...parent.querySelectorAll(":scope > [data-index]")], last: parent.querySelector("footer") };
});

function showOrder(button) {
  const bySample = button.getAttribute("aria-pressed") !== "true";
  for (const { parent, entries, last } of ranked) {
    const shown = bySample ? [...entries].sort((a, b) => a.dataset.index - b.dataset.index) : entries;
    for (const entry of shown) parent.insertBefore(entry, last);
  }
  button.setAttribute("aria-pressed", String(bySample));
  button.textContent = bySample ? "Show the best first" : "Show in the order sampled";
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
  player.position = found[0];
  if (playing === player) player.playFrom(found[0]); else player.play();
});

document.addEventListener("input", (event) => {
  const player = players.get(event.target.closest(".tune"));
  if (!player) return;
  if (event.target === player.slider) player.playFrom(Number(player.slider.value));
  if (event.target === player.tempo) {
    player.tempo.nextElementSibling.textContent = `${player.tempo.value}%`;
    if (playing === player) player.playFrom(player.position);
  }
});

let last = null;
document.addEventListener("keydown", (event) => {
  if (event.key !== " " || event.target.closest("button, input, summary, a, pre")) return;
  last = playing ?? last ?? players.values().next().value;
  if (last) { event.preventDefault(); last.toggle(); }
});
