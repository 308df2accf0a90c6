// Builds elements. Text is always set as text, never parsed as markup.
function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name in node && name !== "list" && name !== "role") node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

const SHAPE_PATHS = {
  circle: "M5 0a5 5 0 1 0 -10 0a5 5 0 1 0 10 0",
  square: "M-4.4-4.4h8.8v8.8h-8.8z",
  "triangle-up": "M0-5.4L5 3.6H-5z",
  "triangle-down": "M0 5.4L5-3.6H-5z",
  "triangle-right": "M5.4 0L-3.6 5V-5z",
  "triangle-left": "M-5.4 0L3.6 5V-5z",
  diamond: "M0-5.8L5 0L0 5.8L-5 0z",
  cross: "M-1.8-5.2h3.6v3.4h3.4v3.6h-3.4v3.4h-3.6v-3.4h-3.4v-3.6h3.4z",
};

// The estimator's marker, as in every figure.
function markerIcon(mark) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "-7 -7 14 14");
  svg.setAttribute("class", "marker");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", SHAPE_PATHS[mark.shape] ?? SHAPE_PATHS.circle);
  path.setAttribute("fill", mark.colour);
  svg.append(path);
  return svg;
}
