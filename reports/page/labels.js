// Places the small texts beside marks: right of them, above or below, and leaves out those that would cover another.
function placeLabels(points, { x, y, width, height }) {
  const px = (value) => (Math.log(value / x[0]) / Math.log(x[1] / x[0])) * width;
  const py = (value) => (1 - Math.log(value / y[0]) / Math.log(y[1] / y[0])) * height;
  const boxes = points.map((p) => [px(p.x) - 6, py(p.y) - 6, px(p.x) + 6, py(p.y) + 6]);
  const free = (box) => box[2] <= width + 4 && boxes.every((b) => box[2] < b[0] || b[2] < box[0] || box[3] < b[1] || b[3] < box[1]);
  for (const point of points) {
    if (!point.text) continue;
    const long = 5.9 * point.text.length, left = px(point.x) + 8, middle = py(point.y);
    let found = null;
    for (const shift of point.failed ? [0] : [-7, 8, 0, -16, 17]) {
      const box = [left, middle + shift - 5, left + long, middle + shift + 5];
      if (point.failed || free(box)) { found = box; break; }
    }
    if (!found) { point.text = ""; continue; }
    boxes.push(found);
    point.text_x = x[0] * (x[1] / x[0]) ** (left / width);
    point.text_y = y[0] * (y[1] / y[0]) ** (1 - (found[1] + 5) / height);
  }
}
