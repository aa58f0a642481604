/** Head, face and hair. */

import { add, along, apply, type Basis, cross, scale, unit, type Vec } from "./math.ts"
import { ball, blend, box, type Colour, type Mesh, type Ring, rgb, shade, tube } from "./mesh.ts"
import type { Person } from "./person.ts"
import type { Joints } from "./skeleton.ts"

const white = rgb(238, 236, 230)
const black = rgb(30, 24, 22)

/** Appends neck, head, face and hair. */
export function drawHead(mesh: Mesh, { body, look }: Person, joints: Joints, coarse: boolean): void {
  const basis = joints.headBasis
  const size = body.head * 1.06
  const centre = add(joints.headBase, apply(basis, [0, 0.4 * size, 0.07 * size]))
  const radii: Vec = [0.355 * size, 0.5 * size, 0.42 * size]
  drawNeck(mesh, joints, body.height, shade(look.skin, 0.86), coarse)
  const chin = look.beard ? blend(look.skin, look.hair, 0.75) : look.skin
  ball(mesh, centre, basis, radii, {
    colour: (_, y, z) => (y < -0.35 && z > -0.1 ? chin : look.skin),
    swell: (x, y, z) => {
      const jaw = Math.max(0, -y - 0.15)
      return 1 - jaw * (0.26 * Math.abs(x) + (z < 0 ? 0.22 : 0.02))
    },
    bands: coarse ? 6 : 12,
    segments: coarse ? 8 : 14,
  })
  if (!coarse) drawFace(mesh, centre, basis, radii, look.skin, look.hair)
  drawHair(mesh, look, centre, basis, radii, coarse)
}

function drawNeck(mesh: Mesh, joints: Joints, height: number, colour: Colour, coarse: boolean): void {
  const axis = unit(add(scale(joints.collar, -1), joints.headBase))
  const x = joints.chestBasis.x
  const front = unit(cross(x, axis))
  const ring = (centre: Vec, radius: number): Ring => ({ centre, u: x, v: front, wide: radius, deep: radius, colour })
  const low = along(joints.collar, axis, -0.02 * height)
  const high = along(joints.headBase, axis, 0.02 * height)
  tube(mesh, [ring(low, 0.036 * height), ring(high, 0.03 * height)], coarse ? 5 : 9)
}

function drawFace(mesh: Mesh, centre: Vec, basis: Basis, radii: Vec, skin: Colour, hair: Colour): void {
  const at = (x: number, y: number, z: number) => add(centre, apply(basis, [x * radii[0], y * radii[1], z * radii[2]]))
  const spot = (place: Vec, size: Vec, colour: Colour, fine = false) =>
    ball(mesh, place, basis, size, { colour: () => colour, bands: fine ? 5 : 4, segments: fine ? 7 : 6 })
  const unitSize = radii[0]
  for (const side of [-1, 1]) {
    spot(at(side * 0.42, 0.06, 0.86), scale([0.2, 0.13, 0.08], unitSize), white)
    spot(at(side * 0.41, 0.06, 0.91), scale([0.1, 0.12, 0.07], unitSize), black, true)
    box(mesh, at(side * 0.44, 0.27, 0.88), scale([0.22, 0.045, 0.06], unitSize), shade(hair, 0.8), basis)
    spot(at(side * 1.02, -0.02, -0.05), scale([0.12, 0.24, 0.18], unitSize), shade(skin, 0.9))
  }
  spot(at(0, -0.14, 1.0), scale([0.13, 0.22, 0.2], unitSize), shade(skin, 0.97))
  spot(at(0, -0.46, 0.86), scale([0.26, 0.06, 0.06], unitSize), blend(shade(skin, 0.5), rgb(150, 50, 50), 0.5))
}

function drawHair(mesh: Mesh, look: Person["look"], centre: Vec, basis: Basis, radii: Vec, coarse: boolean): void {
  const { hairStyle } = look
  if (hairStyle === "bald") return
  const at = (x: number, y: number, z: number) => add(centre, apply(basis, [x * radii[0], y * radii[1], z * radii[2]]))
  const bands = coarse ? 5 : 8
  const segments = coarse ? 7 : 12
  const colour = (_: number, y: number, z: number) => shade(look.hair, 0.85 + 0.2 * y + 0.05 * z)
  const cap = hairStyle === "cap"
  const volume = hairStyle === "afro" ? 1.28 : 1.06
  ball(
    mesh,
    at(0, hairStyle === "afro" ? 0.2 : 0.1, -0.2),
    basis,
    [radii[0] * volume, radii[1] * volume, radii[2] * volume],
    {
      colour: cap ? () => look.accent : colour,
      swell: (_, y, z) => {
        const short = hairStyle === "long" ? 0.2 : 0.55
        return 1 - short * Math.max(0, -y - 0.15) - 0.1 * Math.max(0, z) * Math.max(0, 0.3 - y)
      },
      bands,
      segments,
    },
  )
  if (cap) {
    ball(mesh, at(0, 0.42, 0.86), basis, [radii[0] * 0.8, radii[1] * 0.06, radii[2] * 0.55], {
      colour: () => shade(look.accent, 0.8),
      bands: 4,
      segments,
    })
  }
  if (hairStyle === "bun") {
    ball(mesh, at(0, 0.75, -0.85), basis, scale([0.48, 0.45, 0.45], radii[0]), { colour, bands: 5, segments: 8 })
  }
  const strand = (places: Vec[], wide: number[], deep: number) => {
    const rings: Ring[] = places.map((place, i) => ({
      centre: place,
      u: basis.x,
      v: basis.z,
      wide: wide[i] * radii[0],
      deep: deep * radii[2],
      colour: shade(look.hair, 0.7 + 0.15 * i),
    }))
    tube(mesh, rings, coarse ? 6 : 9, 0.01, 0)
  }
  if (hairStyle === "long") {
    strand([at(0, -1.5, -0.75), at(0, -0.9, -0.6), at(0, -0.3, -0.42), at(0, 0.2, -0.4)], [0.75, 0.95, 1.02, 0.95], 0.5)
  }
  if (hairStyle === "ponytail") {
    strand([at(0, -1.2, -1.45), at(0, -0.6, -1.5), at(0, 0.1, -1.35), at(0, 0.4, -1.0)], [0.12, 0.3, 0.32, 0.2], 0.25)
  }
}
