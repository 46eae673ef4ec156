const until = performance.now() + 400;
while (performance.now() < until) { /* the page cannot answer meanwhile */ }
setTimeout(() => {
  const banner = document.createElement("p");
  banner.className = "heavy-banner";
  banner.textContent = "Something that came late and shoved the page down.";
  document.body.prepend(banner);
}, 600);
