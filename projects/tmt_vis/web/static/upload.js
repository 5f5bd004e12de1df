// Sends the chosen file to the address of this visitor, and says how far it is.
const say = (text) => {
  const place = element.querySelector("b");
  if (place) place.textContent = text;
};

async function send(file) {
  const label = element.querySelector(".tv-upload");
  const input = element.querySelector("input");
  label.classList.remove("tv-failed");
  input.disabled = true;
  const request = new XMLHttpRequest();
  const name = encodeURIComponent(file.name);
  request.open("PUT", `/visitors/${label.dataset.token}/video/${name}`);
  request.upload.onprogress = (event) => {
    if (event.lengthComputable)
      say(`${file.name}: ${Math.round((100 * event.loaded) / event.total)} %`);
  };
  request.onloadend = () => {
    input.disabled = false;
    input.value = "";
    if (request.status === 200) return say(JSON.parse(request.responseText).name);
    label.classList.add("tv-failed");
    const text = request.responseText || "the upload was interrupted; try again";
    say(text.charAt(0).toUpperCase() + text.slice(1));
  };
  request.send(file);
}

element.addEventListener("change", (event) => {
  if (event.target.files?.length) send(event.target.files[0]);
});
element.addEventListener("dragover", (event) => event.preventDefault());
element.addEventListener("drop", (event) => {
  event.preventDefault();
  if (event.dataTransfer.files.length) send(event.dataTransfer.files[0]);
});
