// Record from camera and microphone; what is recorded is uploaded as any other file.

import { button, h, say } from "./dom.js";
import { clock } from "./format.js";

const KINDS = {
  video: ["video/webm;codecs=vp8,opus", "video/webm", "video/mp4"],
  audio: ["audio/webm;codecs=opus", "audio/webm", "audio/mp4"],
};
const WHY = {
  NotAllowedError: "The browser was not allowed to use it. Allow camera and microphone for this page and try again.",
  NotFoundError: "No camera or microphone was found.",
  NotReadableError: "Another program uses the camera or the microphone.",
};

/** The part of the start that records; `add` gets the files. */
export function recorder(add, signal) {
  const body = h("div", {});
  const element = h("section", { class: "record", "aria-labelledby": "record-title" },
    h("h2", { id: "record-title" }, "From camera and microphone"), body);
  if (!navigator.mediaDevices || !window.MediaRecorder) {
    body.append(h("p", {}, "Browsers give camera and microphone only to pages of this machine itself or with https. Record with another program and choose the file."));
    return element;
  }
  const begin = (kind) => record(kind, body, signal, add, ready);
  function ready(problem) {
    body.replaceChildren(
      h("p", { class: "buttons" },
        button("Camera and microphone", () => begin("video"), { class: "strong" }),
        button("Microphone alone", () => begin("audio"))),
      problem ? h("p", { class: "wrong", role: "alert" }, problem)
        : h("p", { class: "quiet" }, "You see yourself first, and decide afterwards whether it is used. Tell everybody who is recorded."));
  }
  ready();
  return element;
}

async function record(kind, body, signal, add, ready) {
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: kind === "video" && { width: { ideal: 640 }, height: { ideal: 480 } } });
  } catch (error) {
    ready(WHY[error.name] ?? `It cannot be used (${error.message}).`);
    return;
  }
  const close = () => stream.getTracks().forEach((track) => track.stop());
  signal.addEventListener("abort", close);
  const picture = kind === "video" ? h("video", { class: "preview", muted: true, playsinline: true, "aria-label": "What the camera sees" }) : null;
  if (picture) {
    picture.muted = true;  // the attribute alone does not do it
    picture.srcObject = stream;
    picture.play();
  }
  const level = h("meter", { min: 0, max: 1, "aria-label": "Loudness of the microphone" });
  measure(stream, level, signal);
  const time = h("span", { class: "time", role: "timer" }, "ready");
  const type = KINDS[kind].find((one) => MediaRecorder.isTypeSupported(one));
  const machine = new MediaRecorder(stream, type ? { mimeType: type } : {});
  const parts = [];
  machine.ondataavailable = (event) => parts.push(event.data);
  const go = button("Start recording", () => {
    machine.start(1000);
    const began = performance.now();
    const tick = setInterval(() => { time.textContent = clock((performance.now() - began) / 1000, 0); }, 200);
    machine.onstop = () => {
      clearInterval(tick);
      close();
      if (!signal.aborted) decide(new Blob(parts, { type: machine.mimeType }), kind, body, signal, add, ready);
    };
    go.replaceWith(stop);
    stop.focus();
    time.textContent = "0 s";
    element.classList.add("running");
    say("recording");
  }, { class: "strong" });
  const stop = button("Stop", () => machine.stop(), { class: "stop" });
  const element = h("div", { class: "recording" }, picture, level,
    h("p", { class: "buttons" }, go, button("Cancel", () => {
      machine.onstop = null;
      close();
      ready();
    }), time));
  body.replaceChildren(element);
  go.focus();
}

/** Let who was recorded see it before it is used. */
function decide(blob, kind, body, signal, add, ready) {
  const url = URL.createObjectURL(blob);
  const done = () => URL.revokeObjectURL(url);
  signal.addEventListener("abort", done);
  const use = button("Use this recording", () => {
    const now = new Date();
    const date = [now.getFullYear(), now.getMonth() + 1, now.getDate()].map((x) => String(x).padStart(2, "0")).join("-");
    const time = [now.getHours(), now.getMinutes(), now.getSeconds()].map((x) => String(x).padStart(2, "0")).join("-");
    const suffix = blob.type.includes("mp4") ? "mp4" : "webm";
    ready();
    add([new File([blob], `recording ${date} ${time}.${suffix}`, { type: blob.type })]);
  }, { class: "strong" });
  body.replaceChildren(
    h(kind, { src: url, class: "preview", controls: true, "aria-label": "What was recorded" }),
    h("p", { class: "buttons" }, use, button("Throw it away", () => {
      done();
      ready();
    })));
  use.focus();
  say("recorded; use it, or throw it away");
}

/** Show how loud the microphone is, as long as it is open. */
function measure(stream, meter, signal) {
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  context.createMediaStreamSource(stream).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const look = () => {
    if (signal.aborted || !stream.active) {
      context.close();
      return;
    }
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, x) => sum + x * x, 0) / samples.length;
    meter.value = Math.min(1, Math.max(0, 1 + Math.log10(power + 1e-9) / 6));
    setTimeout(look, 100);
  };
  look();
}
