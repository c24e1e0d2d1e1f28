const holes = [...document.querySelectorAll("tr.hole")];
let place = -1;
document.addEventListener("keydown", event => {
  if (!holes.length || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "n") place = (place + 1) % holes.length;
  else if (event.key === "p") place = (place - 1 + holes.length) % holes.length;
  else return;
  holes[place].scrollIntoView({ block: "center" });
  document.querySelector("tr.here")?.classList.remove("here");
  holes[place].classList.add("here");
});
