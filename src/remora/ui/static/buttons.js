element.addEventListener("click", async event => {
  const button = event.target.closest("button[data-action]");
  if (!button) return;
  const { action, index, copy } = button.dataset;
  if (copy === undefined) { trigger("click", { action, index }); return; }
  try {
    await navigator.clipboard.writeText(copy);
  } catch {
    const field = document.createElement("textarea");  // Without TLS there is no clipboard API.
    field.value = copy;
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
    button.focus();
  }
  const label = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = label; }, 1500);
});
