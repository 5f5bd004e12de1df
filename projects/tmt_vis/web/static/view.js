// One view of results: highlights the chosen track, moves the time line, and asks the
// server for corrections. The server draws everything else.
let chosen = null; // {track, frames: [[polygon, ...], ...] or null}
const find = (selector) => element.querySelector(selector);
const facts = () => JSON.parse(find(".tv-run").dataset.facts);

function frameAt(time, { times, fps, frames }) {
  let frame = Math.floor(time * fps + 1e-3);
  if (times) {
    frame = times.findIndex((start) => start > time + 1e-3) - 1;
    if (frame < 0) frame = frames - 1;
  }
  return Math.min(Math.max(frame, 0), frames - 1);
}

function timeOf(frame, { times, fps }) {
  return (times ? times[frame] : frame / fps) + 1e-3;
}

async function choose(row) {
  const track = Number(row.dataset.track);
  if (chosen?.track === track) return deselect();
  chosen = { track, frames: null };
  mark();
  const editor = find(".tv-editor");
  editor.hidden = false;
  editor.querySelector("b").textContent = `Track ${track}`;
  editor.querySelector("input").value = row.dataset.name;
  const answer = await fetch(`${facts().outlines}/${track}`);
  if (!answer.ok || chosen?.track !== track) return;
  chosen.frames = await answer.json();
  const video = find("video");
  if (!chosen.frames[frameAt(video.currentTime, facts())]?.length)
    video.currentTime = timeOf(Number(row.dataset.first), facts());
}

function deselect() {
  chosen = null;
  mark();
  find(".tv-editor").hidden = true;
}

function mark() {
  for (const row of element.querySelectorAll(".tv-row"))
    row.setAttribute("aria-pressed", Number(row.dataset.track) === chosen?.track);
}

function act(action) {
  if (action === "deselect") return deselect();
  const name = find(".tv-editor input").value;
  const change = { action, track: chosen?.track ?? 0, name };
  chosen = null;
  trigger("change_track", change);
}

element.addEventListener("click", (event) => {
  const row = event.target.closest(".tv-row");
  if (row) return choose(row);
  const button = event.target.closest("[data-action]");
  if (button) act(button.dataset.action);
});
element.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.target.matches(".tv-editor input")) act("rename");
});

// Two views side by side show the same moment.
for (const kind of ["play", "pause", "seeked"])
  element.addEventListener(kind, (event) => follow(event.target, kind), true);
function follow(leader, kind) {
  for (const other of document.querySelectorAll(".tv-stage video")) {
    if (other === leader) continue;
    if (Math.abs(other.currentTime - leader.currentTime) > 0.2)
      other.currentTime = leader.currentTime;
    if (kind === "play" && other.paused) other.play();
    if (kind === "pause" && !other.paused && !leader.ended) other.pause();
  }
}

function paint() {
  const video = find("video");
  if (video?.videoWidth) {
    const known = facts();
    const frame = frameAt(video.currentTime, known);
    const timeline = find(".tv-timeline");
    timeline.style.setProperty("--now", (frame + 0.5) / known.frames);
    drawChosen(find("canvas"), video, known, frame);
  }
  if (element.isConnected) requestAnimationFrame(paint);
}

// Darkens everything but the chosen track.
function drawChosen(canvas, video, known, frame) {
  if (canvas.width !== video.videoWidth || canvas.height !== video.videoHeight) {
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
  }
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, canvas.width, canvas.height);
  if (!chosen?.frames) return;
  const [sx, sy] = [canvas.width / known.width, canvas.height / known.height];
  const shape = new Path2D();
  for (const polygon of chosen.frames[frame] ?? []) {
    for (let i = 0; i < polygon.length; i += 2) {
      const [x, y] = [(polygon[i] + 0.5) * sx, (polygon[i + 1] + 0.5) * sy];
      if (i) shape.lineTo(x, y);
      else shape.moveTo(x, y);
    }
    shape.closePath();
  }
  const around = new Path2D(shape);
  around.rect(0, 0, canvas.width, canvas.height);
  pen.fillStyle = "rgba(0, 0, 0, 0.6)";
  pen.fill(around, "evenodd");
  pen.strokeStyle = "white";
  pen.lineWidth = Math.max(2, canvas.height / 160);
  pen.stroke(shape);
}
requestAnimationFrame(paint);
