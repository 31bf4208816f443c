// The form for a new study: what the choice amounts to, while it is being made.

const form = document.querySelector("[data-new-study]");
const out = form.querySelector("[data-sum]");
const most = Number(form.dataset.maxSystems);

function sum() {
  const clips = [...form.querySelectorAll("input[name=clip]:checked")];
  const systems = form.querySelectorAll("input[name=system]:checked").length;
  const signals = systems + 3;
  const training = form.querySelector(`input[name=clip][value="${form.training.value}"]`) ?? clips[0];
  const lengths = [training, ...clips].map((box) => Number(box?.dataset.seconds ?? 0));
  // As the server reckons: half a minute to get into a trial, each signal heard about three times.
  const minutes = lengths.reduce((total, seconds) => total + 30 + 3 * signals * seconds, 0) / 60;
  const parts = [
    `${clips.length} ${clips.length === 1 ? "item" : "items"} and a training trial`,
    `${signals} signals a trial`,
  ];
  if (clips.length && systems) parts.push(`about ${Math.max(1, Math.ceil(minutes))} min a listener`);
  out.textContent = systems > most ? `${systems} systems are too many: choose ${most} at most.` : parts.join(" · ");
  out.classList.toggle("over", systems > most);
}

form.addEventListener("change", sum);
sum();
