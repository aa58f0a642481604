/** Joints and looks to triangles: torso, limbs, hands, clothes. The head is in head.ts. */

import { drawHead } from "./head.ts"
import {
  add,
  along,
  type Basis,
  basisAlong,
  clamp,
  dot,
  lerp,
  mix,
  mixBasis,
  scale,
  sub,
  unit,
  type Vec,
} from "./math.ts"
import { ball, blend, type Colour, type Mesh, type Ring, rod, shade, tube } from "./mesh.ts"
import type { Person } from "./person.ts"
import type { Side } from "./pose.ts"
import { type Joints, type Limb, sides } from "./skeleton.ts"

export interface FigureOptions {
  /** Fists: 0 open to 1 closed. */
  curl: Record<Side, number>
  /** The index finger stays straight. */
  pointing?: Side | undefined
  /** Fewer triangles, for people in the distance. */
  coarse?: boolean
}

/** Appends a person to `mesh`. */
export function drawFigure(mesh: Mesh, person: Person, joints: Joints, options: FigureOptions): void {
  const coarse = options.coarse === true
  drawTorso(mesh, person, joints, coarse ? 8 : 14)
  for (const side of sides) {
    drawLeg(mesh, person, joints, side, coarse ? 5 : 9)
    drawArm(mesh, person, joints, side, coarse ? 5 : 8)
    drawHand(mesh, person, joints.arms[side], side, options.curl[side], options.pointing === side, coarse)
    drawShoe(mesh, person, joints.legs[side], coarse ? 6 : 8)
  }
  if (person.look.bottoms === "skirt" || person.look.bottoms === "dress")
    drawSkirt(mesh, person, joints, coarse ? 8 : 14)
  drawHead(mesh, person, joints, coarse)
}

/** Cross-sections of the trunk from crotch (-1) over pelvis (0) and waist (1) to collar (2), relative to the height. */
const trunk = {
  male: [
    [-1, 0.05, 0.045],
    [-0.45, 0.088, 0.064],
    [0.1, 0.095, 0.066],
    [0.6, 0.087, 0.06],
    [1, 0.084, 0.057],
    [1.3, 0.09, 0.06],
    [1.62, 0.101, 0.067],
    [1.8, 0.098, 0.062],
    [1.9, 0.084, 0.052],
    [1.97, 0.055, 0.043],
    [2.02, 0.036, 0.036],
  ],
  female: [
    [-1, 0.05, 0.045],
    [-0.45, 0.094, 0.066],
    [0.1, 0.098, 0.068],
    [0.6, 0.082, 0.057],
    [1, 0.072, 0.051],
    [1.3, 0.077, 0.056],
    [1.58, 0.086, 0.072],
    [1.78, 0.086, 0.057],
    [1.9, 0.073, 0.047],
    [1.97, 0.05, 0.04],
    [2.02, 0.033, 0.033],
  ],
} as const

function drawTorso(mesh: Mesh, { body, look }: Person, joints: Joints, segments: number): void {
  const profile = trunk[look.female ? "female" : "male"]
  const section = (level: number, colour: Colour, grow: number): Ring => {
    const { centre, basis } = spineAt(joints, level)
    let k = 0
    while (k < profile.length - 2 && profile[k + 1][0] < level) k++
    const share = clamp((level - profile[k][0]) / (profile[k + 1][0] - profile[k][0]), 0, 1)
    const belly = level > -0.4 && level < 1.4 ? mix(1, body.belly, 1 - Math.abs(level - 0.5) / 0.9) : 1
    const wide = mix(profile[k][1], profile[k + 1][1], share) * body.height * mix(1, body.build, 0.6) * grow
    const deep = mix(profile[k][2], profile[k + 1][2], share) * body.height * mix(1, body.build, 0.8) * grow * belly
    const forward = (belly - 1) * 0.05 * body.height
    return { centre: along(centre, basis.z, forward), u: basis.x, v: basis.z, wide, deep, colour }
  }
  const low = look.bottoms === "dress" ? look.top : look.bottomColour
  tube(
    mesh,
    [-1, -0.45, 0.1, 0.5].map((level) => section(level, level < -0.8 ? shade(low, 0.7) : low, 1)),
    segments,
    0.01,
    0,
  )
  const hem = 0.42 - look.hem / (0.1 * body.height)
  const rings: Ring[] = []
  for (const { from, to, colour } of bandsOf(look, hem)) {
    const steps = Math.max(1, Math.ceil((to - from) / 0.3))
    for (let i = 0; i <= steps; i++) {
      const level = mix(from, to, i / steps)
      rings.push(section(level, colour, level < 1.85 ? 1.045 : 1.02))
    }
  }
  tube(mesh, rings, segments, 0, 0.004)
}

function bandsOf(look: Person["look"], hem: number): { from: number; to: number; colour: Colour }[] {
  const { top, accent } = look
  if (look.pattern === "yoke") {
    return [
      { from: hem, to: 1.45, colour: top },
      { from: 1.45, to: 2.02, colour: accent },
    ]
  }
  if (look.pattern === "panel") {
    return [
      { from: hem, to: 1.2, colour: top },
      { from: 1.2, to: 1.5, colour: accent },
      { from: 1.5, to: 2.02, colour: top },
    ]
  }
  if (look.pattern === "stripes") {
    const width = (2.02 - hem) / 9
    return Array.from({ length: 9 }, (_, i) => ({
      from: hem + i * width,
      to: hem + (i + 1) * width,
      colour: i % 2 === 0 ? top : accent,
    }))
  }
  return [{ from: hem, to: 2.02, colour: top }]
}

/** A place on the spine: -1 crotch, 0 pelvis, 1 waist, 2 collar. */
function spineAt(joints: Joints, level: number): { centre: Vec; basis: Basis } {
  const { pelvis, waist, collar, pelvisBasis, waistBasis, chestBasis } = joints
  if (level < 0) return { centre: along(pelvis, pelvisBasis.y, level * 0.085), basis: pelvisBasis }
  if (level < 1) return { centre: lerp(pelvis, waist, level), basis: mixBasis(pelvisBasis, waistBasis, level) }
  const share = level - 1
  const bow = share * (1 - share) * 0.03
  const centre = along(lerp(waist, collar, share), chestBasis.z, -bow)
  return { centre, basis: mixBasis(waistBasis, chestBasis, Math.min(1, share * 1.3)) }
}

/**
 * Rings from tip to root along a two-bone limb. `profile` lists [place, radius]: place 0 is the root, 1 the hinge,
 * 2 the tip. Beyond `cuff` (same scale) the limb is bare.
 */
function limbRings(
  limb: Limb,
  front: Vec,
  profile: readonly (readonly [number, number])[],
  cuff: number,
  cloth: Colour,
  bare: (place: number) => Colour,
  loose: (place: number, radius: number) => number,
): Ring[] {
  const lower = basisAlong(sub(limb.hinge, limb.tip), front)
  const upper = basisAlong(sub(limb.root, limb.hinge), front)
  const middle = mixBasis(lower, upper, 0.5)
  const radiusAt = (place: number) => {
    let k = 0
    while (k < profile.length - 2 && profile[k + 1][0] < place) k++
    const share = clamp((place - profile[k][0]) / (profile[k + 1][0] - profile[k][0]), 0, 1)
    return mix(profile[k][1], profile[k + 1][1], share)
  }
  const ring = (place: number, colour: Colour, covered: boolean): Ring => {
    const basis = Math.abs(place - 1) < 0.08 ? middle : place > 1 ? lower : upper
    const centre = place <= 1 ? lerp(limb.root, limb.hinge, place) : lerp(limb.hinge, limb.tip, place - 1)
    const radius = covered ? loose(place, radiusAt(place)) : radiusAt(place)
    return { centre, u: basis.x, v: basis.z, wide: radius, deep: radius, colour }
  }
  const places = [...new Set([...profile.map(([place]) => place), cuff])].sort((a, b) => b - a)
  const rings: Ring[] = []
  for (const place of places) {
    if (place > cuff) rings.push(ring(place, bare(place), false))
    else if (place === cuff) {
      if (cuff < 2) rings.push(ring(place, bare(place), false))
      rings.push(ring(place, cloth, true))
    } else rings.push(ring(place, cloth, true))
  }
  return rings
}

function drawLeg(mesh: Mesh, { body, look }: Person, joints: Joints, side: Side, segments: number): void {
  const k = body.height * mix(1, body.build, 0.9)
  const limb = joints.legs[side]
  const profile: [number, number][] = [
    [0, 0.05 * k],
    [0.2, 0.048 * k],
    [0.55, 0.041 * k],
    [0.88, 0.033 * k],
    [1, 0.032 * k],
    [1.15, 0.031 * k],
    [1.38, 0.033 * k],
    [1.7, 0.025 * k],
    [2, 0.022 * k],
  ]
  const cuffs = { trousers: 1.97, shorts: 0.72, skirt: 0.3, dress: 0.3 }
  const cuff = cuffs[look.bottoms]
  const loose = (place: number, radius: number) =>
    look.bottoms === "trousers"
      ? Math.max(radius * 1.06 + 0.004, (place > 1 ? 0.034 : 0.036) * k)
      : radius * 1.1 + 0.008
  const front = add(scale(limb.end.z, 0.5), joints.pelvisBasis.z)
  const dim = shade(look.bottomColour, 0.96)
  const rings = limbRings(limb, front, profile, cuff, dim, (place) => (place > 1.6 ? look.socks : look.skin), loose)
  tube(mesh, rings, segments, 0.01, 0.02)
}

function drawArm(mesh: Mesh, { body, look }: Person, joints: Joints, side: Side, segments: number): void {
  const k = body.height * mix(1, body.build, 0.9) * (look.female ? 0.9 : 1)
  const limb = joints.arms[side]
  const profile: [number, number][] = [
    [0, 0.031 * k],
    [0.25, 0.031 * k],
    [0.6, 0.026 * k],
    [0.92, 0.023 * k],
    [1, 0.0225 * k],
    [1.12, 0.024 * k],
    [1.35, 0.0235 * k],
    [1.75, 0.018 * k],
    [2, 0.016 * k],
  ]
  const cloth = look.pattern === "yoke" ? look.accent : look.top
  const loose = (_: number, radius: number) => radius * 1.1 + (look.sleeves < 1 ? 0.006 : 0.004)
  const rings = limbRings(limb, joints.chestBasis.z, profile, look.sleeves * 1.96, cloth, () => look.skin, loose)
  tube(mesh, rings, segments, 0.006, 0.03 * k)
  const joint = 0.0345 * k
  const basis = joints.chestBasis
  const inside = along(limb.root, basis.x, side === "left" ? -0.012 : 0.012)
  const colour = look.sleeves > 0.1 ? cloth : blend(cloth, look.skin, 0.5)
  ball(mesh, inside, basis, [joint * 1.05, joint, joint], { colour: () => colour, bands: 4, segments })
}

function drawHand(
  mesh: Mesh,
  { body, look }: Person,
  limb: Limb,
  side: Side,
  curl: number,
  pointing: boolean,
  coarse: boolean,
): void {
  const { x, y, z } = limb.end
  const size = body.hand * 1.08
  const skin = look.skin
  const section = (out: number, wide: number, deep: number): Ring => ({
    centre: along(limb.tip, y, out * size),
    u: x,
    v: z,
    wide: wide * size,
    deep: deep * size,
    colour: skin,
  })
  const knuckles = mix(0.48, 0.42, curl)
  const thick = mix(0.11, 0.19, curl)
  tube(
    mesh,
    [section(-0.05, 0.15, 0.12), section(0.22, 0.23, thick), section(knuckles, 0.245, thick)],
    coarse ? 5 : 8,
    0,
    0.08 * size,
  )
  const thumbSide = side === "left" ? -1 : 1
  const thumb = along(along(limb.tip, y, 0.12 * size), x, thumbSide * 0.16 * size)
  const thumbTip = add(
    along(along(thumb, y, mix(0.32, 0.2, curl) * size), x, thumbSide * mix(0.24, 0.02, curl) * size),
    scale(z, mix(0.05, 0.24, curl) * size),
  )
  rod(mesh, thumb, thumbTip, 0.075 * size, skin, 5, 0.05 * size)
  if (coarse) return
  const base = along(limb.tip, y, knuckles * 0.96 * size)
  for (let i = 0; i < 4; i++) {
    const across = (i - 1.5) * 0.125
    const straight = pointing && i === (thumbSide < 0 ? 0 : 3)
    const bend = straight ? 0 : curl
    const spread = across * mix(1.5, 1, bend)
    const root = along(base, x, across * size)
    const length = mix(i === 0 || i === 3 ? 0.44 : 0.52, 0.2, bend) * (straight ? 1.25 : 1)
    const tip = add(
      along(along(root, y, length * size * mix(1, 0.3, bend)), x, (spread - across) * size * 2.2),
      scale(z, mix(0.02, 0.22, bend) * size),
    )
    rod(mesh, root, tip, 0.07 * size, skin, 5, 0.048 * size)
  }
}

function drawShoe(mesh: Mesh, { body, look }: Person, limb: Limb, segments: number): void {
  const { x, y, z } = limb.end
  const length = body.foot
  const sole = along(limb.tip, y, -body.ankle)
  const section = (out: number, height: number, wide: number, lift: number, colour: Colour): Ring => ({
    centre: add(along(sole, z, out * length), scale(y, (lift + height) * length)),
    u: scale(x, -1),
    v: y,
    wide: wide * length,
    deep: height * length,
    colour,
  })
  const colour = look.shoes
  tube(
    mesh,
    [
      section(-0.27, 0.13, 0.12, 0.02, colour),
      section(-0.12, 0.19, 0.16, 0, colour),
      section(0.12, 0.18, 0.16, 0, colour),
      section(0.35, 0.13, 0.185, 0, colour),
      section(0.6, 0.1, 0.175, 0, colour),
      section(0.75, 0.075, 0.11, 0.005, colour),
    ],
    segments,
    0.03 * length,
    0.03 * length,
  )
  if (segments < 8) return
  const flat = (out: number, wide: number): Ring => section(out, 0.028, wide, -0.005, look.sole)
  tube(mesh, [flat(-0.3, 0.1), flat(-0.12, 0.17), flat(0.35, 0.2), flat(0.62, 0.18), flat(0.79, 0.09)], segments, 0, 0)
}

function drawSkirt(mesh: Mesh, { body, look }: Person, joints: Joints, segments: number): void {
  const { pelvis, pelvisBasis, legs } = joints
  const down = look.bottoms === "dress" ? 0.95 : 0.72
  const k = body.height * body.build
  const colour = look.bottoms === "dress" ? look.top : look.bottomColour
  const at = (share: number): Ring => {
    const left = lerp(legs.left.root, legs.left.hinge, share)
    const right = lerp(legs.right.root, legs.right.hinge, share)
    const centre = lerp(left, right, 0.5)
    const basis = basisAlong(unit(sub(pelvis, along(centre, pelvisBasis.y, -0.15))), pelvisBasis.z)
    const apart = sub(left, right)
    return {
      centre: along(centre, basis.z, 0.004),
      u: basis.x,
      v: basis.z,
      wide: Math.abs(dot(apart, basis.x)) / 2 + (0.058 + 0.014 * share) * k,
      deep: Math.abs(dot(apart, basis.z)) / 2 + (0.064 + 0.014 * share) * k,
      colour: shade(colour, 1 - 0.12 * share),
    }
  }
  const belt = spineAt(joints, 0.45)
  const waist: Ring = {
    centre: belt.centre,
    u: belt.basis.x,
    v: belt.basis.z,
    wide: 0.088 * k,
    deep: 0.062 * k,
    colour,
  }
  tube(mesh, [at(down), at(down * 0.66), at(down * 0.33), at(0.02), waist], segments, 0, 0)
}
