// A packed life (scripts/report/film.py) back to places: base64, deflate, second differences in 16 bits, a quantum.
async function unpack(film) {
  if (film.places_m) return film;
  const packed = Uint8Array.from(atob(film.places), (character) => character.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const planes = new Uint8Array(await new Response(stream).arrayBuffer());
  const nFrames = film.n_frames, nNodes = film.radius_m.length, nColumns = 3 * nNodes, half = planes.length / 2;
  const places = new Float32Array(nFrames * nColumns);
  for (let column = 0; column < nColumns; column++) {
    let change = 0, place = 0;
    for (let frame = 0; frame < nFrames; frame++) {
      const i = column * nFrames + frame, zigzag = planes[i] | (planes[half + i] << 8);
      change = (change + ((zigzag >> 1) ^ -(zigzag & 1))) & 0xffff;
      place = (place + change) & 0xffff;
      places[frame * nColumns + column] = ((place << 16) >> 16) * film.quantum_m;
    }
  }
  film.places_m = places; // [F, 3, N], as recorded
  film.centre_m = centres(film);
  film.height_m = mean(film.centre_m, 1);
  film.size_m = size(film);
  film.anchor_m = smooth(film.centre_m, Math.round(0.5 / film.frame_s));
  return film;
}

const x = (film, frame, node, axis) => film.places_m[(frame * 3 + axis) * film.radius_m.length + node];

function centres(film) {
  const centre = new Float32Array(film.n_frames * 3);
  for (let frame = 0; frame < film.n_frames; frame++)
    for (let axis = 0; axis < 3; axis++)
      film.mass_share.forEach((share, node) => { centre[frame * 3 + axis] += share * x(film, frame, node, axis); });
  return centre;
}

const mean = (values, axis) => values.reduce((sum, value, i) => (i % 3 === axis ? sum + value : sum), 0) / (values.length / 3);

// How far a node's edge gets from the centre of mass: what a camera has to take in.
function size(film) {
  let far = 0;
  for (let frame = 0; frame < film.n_frames; frame += 3)
    film.radius_m.forEach((radius, node) => {
      const away = [0, 1, 2].map((axis) => x(film, frame, node, axis) - film.centre_m[3 * frame + axis]);
      far = Math.max(far, Math.hypot(...away) + radius);
    });
  return far;
}

// A running mean over 2·reach + 1 frames: what a camera follows without shaking. It moves the camera, never the creature.
function smooth(values, reach) {
  const n = values.length / 3, result = new Float32Array(values.length);
  for (let axis = 0; axis < 3; axis++) {
    let sum = 0, first = 0, after = 0;
    for (let frame = 0; frame < n; frame++) {
      while (after <= Math.min(frame + reach, n - 1)) sum += values[3 * after++ + axis];
      while (first < frame - reach) sum -= values[3 * first++ + axis];
      result[3 * frame + axis] = sum / (after - first);
    }
  }
  return result;
}

const takenBy = (film, frame) => film.taken_at.filter((at) => at <= frame).length;
