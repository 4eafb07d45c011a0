// The part of three.js that the page uses; esbuild leaves out the rest.
export {
  CircleGeometry, Color, CylinderGeometry, DirectionalLight, BufferAttribute, BufferGeometry, GridHelper, HemisphereLight,
  InstancedMesh, Line, LineBasicMaterial, Mesh, MeshBasicMaterial, MeshStandardMaterial, Object3D, PerspectiveCamera,
  Scene, SphereGeometry, Vector3, WebGLRenderer,
} from "three";
export { OrbitControls } from "three/examples/jsm/controls/OrbitControls.js";
