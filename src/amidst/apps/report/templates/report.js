"use strict";
{
  const controls = document.getElementById("controls");
  const slider = document.getElementById("threshold");
  const calm = document.getElementById("calm");
  const pictures = document.getElementById("pictures");
  const put = (root, name, value) => {
    for (const place of root.querySelectorAll(`[data-count="${name}"]`)) {
      place.textContent = value;
      place.parentElement.classList.toggle("bad", name !== "correct" && value > 0);
    }
  };
  const show = () => {
    const threshold = Number(slider.value);
    document.getElementById("shown").textContent = threshold.toFixed(2);
    for (const pair of pictures.querySelectorAll(".pair")) {
      const counts = { missed: 0, false: 0, correct: 0 };
      for (const box of pair.querySelectorAll(".object:not(.ignored)")) {
        const missed = !(Number(box.dataset.found) >= threshold);
        box.classList.toggle("missed", missed);
        box.classList.toggle("correct", !missed);
        counts.missed += missed;
      }
      for (const box of pair.querySelectorAll(".detection")) {
        box.hidden = Number(box.dataset.score) < threshold;
        if (!box.hidden && box.dataset.outcome !== "ignored") counts[box.dataset.outcome] += 1;
      }
      for (const name of Object.keys(counts)) put(pair, name, counts[name]);
    }
  };
  slider.addEventListener("input", show);
  calm.addEventListener("change", () => pictures.classList.toggle("calm", calm.checked));
  controls.hidden = false;
}
