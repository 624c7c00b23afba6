// mnist.js - make a drawing look like an MNIST digit, as its authors did: the ink's bounding box is
// scaled to fit 20 x 20 pixels with grey edges, and moved by whole pixels until its centre of mass is
// at the middle of 28 x 28. (In MNIST itself the centre of mass lies at 14.0 +- 0.5 in both directions,
// counting pixels from 0.) Pure functions on arrays; no DOM.

import { SIDE } from "./pictures.js";

const BOX = 20;

// Half the width of a stroke, in pixels of the 28 x 28 picture. MNIST's strokes have a soft edge of
// about one pixel and 0.68 of full white on average, which a stroke of this width has, too.
const PEN_RADIUS = 1.15;

// A dot, or a speck of a drawing, is not blown up: at least this share of the drawing area counts.
const SMALLEST_EXTENT = 0.12;

/** Distance from point (x, y) to the segment from a to b. */
function distanceToSegment(x, y, a, b) {
  const dx = b.x - a.x;
  const dy = b.y - a.y;
  const lengthSquared = dx * dx + dy * dy;
  let t = lengthSquared > 0 ? ((x - a.x) * dx + (y - a.y) * dy) / lengthSquared : 0;
  t = Math.max(0, Math.min(1, t));
  return Math.hypot(x - a.x - t * dx, y - a.y - t * dy);
}

/** Paint a segment with a round pen; a pixel's grey is about the share of it that the pen covers. */
function paintSegment(picture, a, b) {
  const reach = PEN_RADIUS + 0.5;
  const left = Math.max(0, Math.floor(Math.min(a.x, b.x) - reach));
  const right = Math.min(SIDE - 1, Math.ceil(Math.max(a.x, b.x) + reach));
  const top = Math.max(0, Math.floor(Math.min(a.y, b.y) - reach));
  const bottom = Math.min(SIDE - 1, Math.ceil(Math.max(a.y, b.y) + reach));
  for (let row = top; row <= bottom; row++) {
    for (let column = left; column <= right; column++) {
      const covered = reach - distanceToSegment(column + 0.5, row + 0.5, a, b);
      const k = row * SIDE + column;
      picture[k] = Math.max(picture[k], Math.min(1, covered));
    }
  }
}

/** Move a picture by whole pixels so that its centre of mass comes to the middle. */
function centre(picture) {
  let mass = 0;
  let massX = 0;
  let massY = 0;
  let [left, right, top, bottom] = [SIDE, 0, SIDE, 0];
  for (let k = 0; k < picture.length; k++) {
    if (picture[k] === 0) continue;
    const column = k % SIDE;
    const row = (k - column) / SIDE;
    mass += picture[k];
    massX += picture[k] * column;
    massY += picture[k] * row;
    left = Math.min(left, column);
    right = Math.max(right, column);
    top = Math.min(top, row);
    bottom = Math.max(bottom, row);
  }
  const out = new Float32Array(SIDE * SIDE);
  if (mass === 0) return out;
  const within = (shift, first, last) => Math.max(-first, Math.min(SIDE - 1 - last, shift));
  const dx = within(Math.round(SIDE / 2 - massX / mass), left, right); // and never over the edge
  const dy = within(Math.round(SIDE / 2 - massY / mass), top, bottom);
  for (let row = top; row <= bottom; row++) {
    for (let column = left; column <= right; column++) {
      out[(row + dy) * SIDE + column + dx] = picture[row * SIDE + column];
    }
  }
  return out;
}

/**
 * Strokes as MNIST would have them: 784 values in [0, 1].
 * A stroke is a list of points {x, y}; any unit will do, as long as `extent` is the side of the
 * drawing area in it. The lines are scaled first and drawn then, so that a small and a large drawing
 * get the same pen.
 */
export function strokesToDigit(strokes, extent = 1) {
  const picture = new Float32Array(SIDE * SIDE);
  const points = strokes.flat();
  if (points.length === 0) return picture;
  const xs = points.map((p) => p.x);
  const ys = points.map((p) => p.y);
  const [left, right] = [Math.min(...xs), Math.max(...xs)];
  const [top, bottom] = [Math.min(...ys), Math.max(...ys)];
  const size = Math.max(right - left, bottom - top, SMALLEST_EXTENT * extent);
  const scale = (BOX - 2 * (PEN_RADIUS + 0.5)) / size; // so that the ink, not the line, fills the box
  const place = (p) => ({
    x: SIDE / 2 + scale * (p.x - (left + right) / 2),
    y: SIDE / 2 + scale * (p.y - (top + bottom) / 2),
  });
  for (const stroke of strokes) {
    const placed = stroke.map(place);
    placed.forEach((p, i) => paintSegment(picture, placed[Math.max(0, i - 1)], p));
  }
  return centre(picture);
}

/** The cubic filter of Pillow and others (Keys, a = -1/2): 1 at 0, then a small dip, and 0 from 2 on. */
function cubic(distance) {
  const t = Math.abs(distance);
  if (t < 1) return 1.5 * t ** 3 - 2.5 * t ** 2 + 1;
  if (t < 2) return -0.5 * t ** 3 + 2.5 * t ** 2 - 4 * t + 2;
  return 0;
}

/**
 * For each of `nOut` pixels of a resized line: which of the `nIn` old ones it mixes, in what shares.
 * The filter widens when the line shrinks, so that every old pixel counts.
 */
function mixture(nIn, nOut) {
  const ratio = nIn / nOut;
  const stretch = Math.max(1, ratio);
  return Array.from({ length: nOut }, (_, o) => {
    const middle = (o + 0.5) * ratio - 0.5;
    const taps = [];
    for (let i = Math.ceil(middle - 2 * stretch); i <= middle + 2 * stretch; i++) {
      if (i >= 0 && i < nIn) taps.push({ i, share: cubic((i - middle) / stretch) });
    }
    const sum = taps.reduce((total, tap) => total + tap.share, 0);
    return taps.map(({ i, share }) => ({ i, share: share / sum }));
  });
}

/**
 * A grey picture of any size, ink high and paper 0, as MNIST would have it: 784 values in [0, 1].
 * `grey` holds width * height values row by row; the darkest ink becomes 1.
 */
export function rasterToDigit(grey, width, height) {
  if (grey.length !== width * height) {
    throw new Error(`${width} x ${height} pixels are ${width * height} values, not ${grey.length}`);
  }
  let darkest = 0;
  for (const v of grey) {
    if (!Number.isFinite(v)) throw new Error("the picture has values that are not numbers");
    darkest = Math.max(darkest, v);
  }
  const picture = new Float32Array(SIDE * SIDE);
  if (darkest === 0) return picture;

  let [left, right, top, bottom] = [width, 0, height, 0];
  for (let k = 0; k < grey.length; k++) {
    if (grey[k] < 0.1 * darkest) continue; // a trace of grey is paper
    const column = k % width;
    const row = (k - column) / width;
    left = Math.min(left, column);
    right = Math.max(right, column);
    top = Math.min(top, row);
    bottom = Math.max(bottom, row);
  }
  const [inkWidth, inkHeight] = [right - left + 1, bottom - top + 1];
  const scale = BOX / Math.max(inkWidth, inkHeight);
  const columns = mixture(inkWidth, Math.max(1, Math.round(inkWidth * scale)));
  const rows = mixture(inkHeight, Math.max(1, Math.round(inkHeight * scale)));
  const [x0, y0] = [(SIDE - columns.length) >> 1, (SIDE - rows.length) >> 1];
  rows.forEach((rowTaps, y) => {
    columns.forEach((columnTaps, x) => {
      let value = 0;
      for (const r of rowTaps) {
        for (const c of columnTaps) {
          value += r.share * c.share * Math.max(0, grey[(top + r.i) * width + left + c.i]);
        }
      }
      // an edge of one old pixel is `scale` new ones wide: make it as steep as MNIST's
      const steeper = (value / darkest - 0.5) * Math.max(1, scale) + 0.5;
      picture[(y0 + y) * SIDE + x0 + x] = Math.max(0, Math.min(1, steeper));
    });
  });
  return centre(picture);
}
