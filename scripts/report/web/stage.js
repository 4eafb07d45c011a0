// The 3-D picture: one scene per creature, all drawn on one canvas, seen by one camera that moves along with each.
const COLOURS = { short: "#e66100", rest: "#b9b4a8", long: "#2f6fd0", pellet: "#f2b705", taken: "#8d9aa3", trail: "#7a5c2e" };
const FULL_STRAIN = 0.35; // where a muscle has its full colour
const GROUND_M = 300, PELLET_M = 0.25, MUSCLE_M = 0.045;

class CreatureScene {
  constructor(film, label) {
    this.film = film;
    this.label = label;
    this.scene = new THREE.Scene();
    const nNodes = film.radius_m.length, nMuscles = film.muscles.length;
    const matt = (properties) => new THREE.MeshStandardMaterial({ roughness: 0.65, ...properties });
    this.nodes = new THREE.InstancedMesh(new THREE.SphereGeometry(1, 24, 16), matt({ color: "#46525f" }), nNodes);
    this.muscles = new THREE.InstancedMesh(new THREE.CylinderGeometry(1, 1, 1, 10), matt({ color: "#ffffff" }), nMuscles);
    this.shadows = new THREE.InstancedMesh(new THREE.CircleGeometry(1, 20).rotateX(-Math.PI / 2),
      new THREE.MeshBasicMaterial({ color: "#000000", transparent: true, opacity: 0.16, depthWrite: false }), nNodes);
    for (const mesh of [this.nodes, this.muscles, this.shadows]) mesh.frustumCulled = false;
    this.pellets = film.pellets_m.map(([px, pz]) => {
      const pellet = new THREE.Mesh(new THREE.SphereGeometry(PELLET_M, 20, 14), matt({ color: COLOURS.pellet }));
      pellet.position.set(px, PELLET_M, pz);
      return pellet;
    });
    this.trail = this.makeTrail();
    this.sun = new THREE.DirectionalLight("#ffffff", 1.9);
    this.sun.position.set(4, 9, 5);
    this.sky = new THREE.HemisphereLight("#ffffff", "#8a7f68", 1.5);
    this.scene.add(this.nodes, this.muscles, this.shadows, ...this.pellets, this.trail, this.sun, this.sky);
    this.paint();
  }

  makeTrail() {
    const { centre_m: centre, n_frames: n } = this.film, line = new Float32Array(3 * n);
    for (let frame = 0; frame < n; frame++) line.set([centre[3 * frame], 0.015, centre[3 * frame + 2]], 3 * frame);
    const geometry = new THREE.BufferGeometry();
    geometry.setAttribute("position", new THREE.BufferAttribute(line, 3));
    const trail = new THREE.Line(geometry, new THREE.LineBasicMaterial({ color: COLOURS.trail }));
    trail.frustumCulled = false;
    return trail;
  }

  // The ground and the sky are the page's colours.
  paint() {
    if (this.ground) { this.scene.remove(this.ground); this.ground.material.map.dispose(); this.ground.material.dispose(); }
    this.scene.background = new THREE.Color(style("--sky"));
    this.scene.fog = new THREE.Fog(this.scene.background, 14, 110);
    this.nodes.material.color.set(style("--node"));
    const ground = new THREE.MeshBasicMaterial({ map: tiles() });
    this.ground = new THREE.Mesh(new THREE.PlaneGeometry(GROUND_M, GROUND_M).rotateX(-Math.PI / 2), ground);
    this.scene.add(this.ground);
  }

  show(frame) {
    const { film } = this, object = new THREE.Object3D(), at = [new THREE.Vector3(), new THREE.Vector3()];
    film.radius_m.forEach((radius, node) => {
      const [px, py, pz] = [0, 1, 2].map((axis) => x(film, frame, node, axis));
      object.position.set(px, py, pz);
      object.quaternion.identity();
      object.scale.setScalar(radius);
      object.updateMatrix();
      this.nodes.setMatrixAt(node, object.matrix);
      object.position.y = 0.005 + 0.001 * node;
      object.scale.setScalar(radius / (1 + 0.4 * Math.max(py - radius, 0)));
      object.updateMatrix();
      this.shadows.setMatrixAt(node, object.matrix);
    });
    const up = new THREE.Vector3(0, 1, 0);
    film.muscles.forEach((ends, muscle) => {
      ends.forEach((node, end) => at[end].set(x(film, frame, node, 0), x(film, frame, node, 1), x(film, frame, node, 2)));
      const way = at[1].clone().sub(at[0]), length = way.length();
      object.position.copy(at[0]).addScaledVector(way, 0.5);
      object.quaternion.setFromUnitVectors(up, way.normalize());
      object.scale.set(MUSCLE_M, length, MUSCLE_M);
      object.updateMatrix();
      this.muscles.setMatrixAt(muscle, object.matrix);
      this.muscles.setColorAt(muscle, muscleColour(length / film.rest_m[muscle] - 1));
    });
    for (const mesh of [this.nodes, this.muscles, this.shadows]) mesh.instanceMatrix.needsUpdate = true;
    if (this.muscles.instanceColor) this.muscles.instanceColor.needsUpdate = true;
    const taken = takenBy(film, frame);
    this.pellets.forEach((pellet, k) => {
      pellet.visible = k <= taken;
      pellet.material.color.set(k < taken ? COLOURS.taken : COLOURS.pellet);
      pellet.scale.setScalar(k < taken ? 0.6 : 1);
    });
    this.trail.geometry.setDrawRange(0, frame + 1);
  }

  dispose() {
    this.scene.traverse((thing) => { thing.geometry?.dispose(); thing.material?.map?.dispose(); thing.material?.dispose(); thing.dispose?.(); });
  }
}

// Ground in squares of a metre.
function tiles() {
  const canvas = make("canvas", { width: 128, height: 128 }), context = canvas.getContext("2d");
  context.fillStyle = style("--grid");
  context.fillRect(0, 0, 128, 128);
  context.fillStyle = style("--ground");
  context.fillRect(2, 2, 124, 124);
  const texture = new THREE.CanvasTexture(canvas);
  Object.assign(texture, { wrapS: THREE.RepeatWrapping, wrapT: THREE.RepeatWrapping, anisotropy: 8, colorSpace: THREE.SRGBColorSpace });
  texture.repeat.set(GROUND_M, GROUND_M);
  return texture;
}

function muscleColour(strain) {
  const share = Math.min(Math.abs(strain) / FULL_STRAIN, 1);
  return new THREE.Color(COLOURS.rest).lerp(new THREE.Color(strain < 0 ? COLOURS.short : COLOURS.long), share);
}

class Stage {
  constructor(canvas, labels) {
    this.canvas = canvas;
    this.labels = labels;
    this.views = [];
    this.frame = 0;
    this.isFollowing = true;
    this.renderer = new THREE.WebGLRenderer({ canvas, antialias: true, alpha: true });
    this.renderer.setPixelRatio(Math.min(window.devicePixelRatio || 1, 2));
    this.renderer.setScissorTest(true);
    this.renderer.setClearColor("#000000", 0);
    this.camera = new THREE.PerspectiveCamera(38, 1, 0.1, 600);
    this.eye = new THREE.PerspectiveCamera(38, 1, 0.1, 600);
    this.camera.position.set(3.2, 2.6, 5.2);
    this.controls = new THREE.OrbitControls(this.camera, canvas);
    Object.assign(this.controls, { enablePan: false, minDistance: 1.5, maxDistance: 120, maxPolarAngle: 1.52 });
    this.controls.addEventListener("change", () => this.draw());
    this.leaveThePageItsScrolling();
    new ResizeObserver(() => this.fit()).observe(canvas.parentElement);
  }

  // A wheel over the picture scrolls the page until the picture is in use; a finger that moves up or down always does.
  leaveThePageItsScrolling() {
    this.canvas.style.touchAction = "pan-y";
    this.controls.enableZoom = false;
    this.canvas.addEventListener("pointerdown", () => this.canvas.focus({ preventScroll: true }));
    this.canvas.addEventListener("focus", () => { this.controls.enableZoom = true; });
    this.canvas.addEventListener("blur", () => { this.controls.enableZoom = false; });
  }

  set(creatures) {
    this.views.forEach((view) => view.dispose());
    this.views = creatures.map(({ film, label }) => new CreatureScene(film, label));
    this.labels.replaceChildren(...this.views.map((view) => make("span", {}, view.label)));
    this.fit();
  }

  seek(frame) {
    this.frame = frame;
    this.views.forEach((view) => view.show(Math.min(frame, view.film.n_frames - 1)));
    this.draw();
  }

  follow(isFollowing) {
    this.isFollowing = isFollowing;
    const away = this.views.map((view) => (isFollowing ? 3.3 * view.film.size_m + 0.6 : this.reach(view)));
    this.camera.position.setLength(Math.min(Math.max(...away, 3), 120));
    this.controls.update();
    this.draw();
  }

  // Half of how far apart a creature's way is, as the distance to see it from.
  reach({ film }) { return 1.5 * Math.hypot(...this.extent(film).map(([low, high]) => high - low)) + 5; }

  extent(film) {
    return [0, 2].map((axis) => {
      const places = film.pellets_m.map((pellet) => pellet[axis / 2]);
      for (let frame = 0; frame < film.n_frames; frame++) places.push(film.centre_m[3 * frame + axis]);
      return [Math.min(...places), Math.max(...places)];
    });
  }

  anchor(view) {
    const { film } = view, frame = Math.min(this.frame, film.n_frames - 1);
    if (this.isFollowing) return [film.anchor_m[3 * frame], film.height_m, film.anchor_m[3 * frame + 2]];
    view.middle ??= this.extent(film).map(([low, high]) => (low + high) / 2);
    return [view.middle[0], 0, view.middle[1]];
  }

  cells() {
    const { clientWidth: width, clientHeight: height } = this.canvas, n = Math.max(this.views.length, 1);
    const room = (columns) => Math.min(width / columns, (1.25 * height) / Math.ceil(n / columns)); // of a view
    const columns = Array.from({ length: n }, (_, i) => i + 1).reduce((best, each) => (room(each) > room(best) ? each : best));
    const rows = Math.ceil(n / columns), w = width / columns, h = height / rows;
    return this.views.map((_, i) => ({ left: (i % columns) * w, top: Math.floor(i / columns) * h, w, h }));
  }

  fit() {
    const { clientWidth: width, clientHeight: height } = this.canvas.parentElement;
    if (!width || !height) return;
    this.renderer.setSize(width, height, false);
    const cells = this.cells();
    [...this.labels.children].forEach((label, i) => {
      label.style.left = `${cells[i].left}px`;
      label.style.top = `${cells[i].top}px`;
      label.style.maxWidth = `${cells[i].w}px`;
    });
    this.draw();
  }

  draw() {
    const height = this.canvas.clientHeight, cells = this.cells();
    this.views.forEach((view, i) => {
      const { left, top, w, h } = cells[i], [ax, ay, az] = this.anchor(view);
      this.eye.position.set(ax, ay, az).add(this.camera.position);
      this.eye.quaternion.copy(this.camera.quaternion);
      this.eye.aspect = w / h;
      this.eye.fov = Math.min(38 * Math.max(1, 0.9 / this.eye.aspect), 70);
      this.eye.updateProjectionMatrix();
      const gap = this.views.length > 1 ? 2 : 0;
      this.renderer.setViewport(left, height - top - h, w - gap, h - gap);
      this.renderer.setScissor(left, height - top - h, w - gap, h - gap);
      this.renderer.render(view.scene, this.eye);
    });
  }

  orbit(turn, tilt) {
    const spherical = this.camera.position, radius = spherical.length();
    const azimuth = Math.atan2(spherical.x, spherical.z) + turn;
    const polar = Math.min(Math.max(Math.acos(spherical.y / radius) + tilt, 0.05), 1.52);
    spherical.set(radius * Math.sin(polar) * Math.sin(azimuth), radius * Math.cos(polar), radius * Math.sin(polar) * Math.cos(azimuth));
    this.controls.update();
    this.draw();
  }

  zoom(factor) {
    this.camera.position.setLength(Math.min(Math.max(this.camera.position.length() * factor, 1.5), 120));
    this.controls.update();
    this.draw();
  }
}
