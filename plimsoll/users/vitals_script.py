"""What runs in a page to see its vitals, as the web-vitals library has them defined."""

BINDING = "plimsollInteraction"
"""The function by which a page tells of an interaction at once, as it may lead away from the page."""

SCRIPT = """
(() => {
  if (window !== window.top) return;
  const seen = { id: Math.random().toString(36).slice(2), lcp: null, fcp: null, cls: 0, tasks: [] };
  const interactions = new Map();
  const observers = [];
  let shift = { value: 0, first: -Infinity, last: -Infinity };

  function observe(type, take, options) {
    if (!PerformanceObserver.supportedEntryTypes.includes(type)) return;
    const observer = new PerformanceObserver((list) => list.getEntries().forEach(take));
    observer.observe({ type, buffered: true, ...options });
    observers.push([observer, take]);
  }
  // Shifts less than 1 s apart and within 5 s belong together; the worst such window counts.
  function takeShift(entry) {
    if (entry.hadRecentInput) return;
    const goes_on = entry.startTime - shift.last < 1000 && entry.startTime - shift.first < 5000;
    shift = goes_on ? shift : { value: 0, first: entry.startTime };
    shift.value += entry.value;
    shift.last = entry.startTime;
    seen.cls = Math.max(seen.cls, shift.value);
  }
  function takeInteraction(entry) {
    if (!entry.interactionId && entry.entryType !== "first-input") return;
    const id = entry.interactionId || "first";
    interactions.set(id, Math.max(interactions.get(id) || 0, entry.duration));
    if (window.plimsollInteraction) window.plimsollInteraction(JSON.stringify({ id: seen.id, inp: inp() }));
  }
  observe("largest-contentful-paint", (entry) => { seen.lcp = entry.startTime; });
  observe("paint", (entry) => { if (entry.name === "first-contentful-paint") seen.fcp = entry.startTime; });
  observe("layout-shift", takeShift);
  observe("longtask", (entry) => seen.tasks.push([entry.startTime, entry.startTime + entry.duration]));
  observe("event", takeInteraction, { durationThreshold: 16 });
  observe("first-input", takeInteraction);

  // Of up to 50 interactions the slowest is the INP, of more the one that 1 in 50 exceeds.
  function inp() {
    const durations = [...interactions.values()].sort((one, other) => other - one);
    return durations.length ? durations[Math.floor(durations.length / 50)] : null;
  }
  function collect() {
    for (const [observer, take] of observers) observer.takeRecords().forEach(take);
    const page = performance.getEntriesByType("navigation")[0];
    const requests = performance.getEntriesByType("resource");
    return {
      ...seen, inp: inp(), ttfb: page.responseStart, ready: page.domContentLoadedEventEnd,
      left: performance.now(),
      requests: [page, ...requests].map(
        (one) => [one.name, one.startTime, one.responseEnd, one.encodedBodySize]),
    };
  }
  window.plimsoll = { collect };
})();
"""

COLLECT = "() => window.plimsoll && location.protocol !== 'about:' ? window.plimsoll.collect() : null"

# Two frames later the last paint is on the screen; then the time to the end of the load event, in ms.
SETTLE = """
() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(
  () => done(performance.getEntriesByType("navigation")[0].loadEventEnd)))))
"""
