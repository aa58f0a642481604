/**
 * Forward kinematics: a pose and a body give the place of every joint. Knees and elbows are hinges; planted feet and
 * gripping hands are brought to their mark by solving the two-bone triangle, so bone lengths never change.
 */

import {
  add,
  along,
  apply,
  type Basis,
  basisAlong,
  clamp,
  compose,
  cos,
  DEGREE,
  distance,
  dot,
  lerp,
  mixBasis,
  perpendicular,
  rotation,
  scale,
  sin,
  sub,
  turn,
  unit,
  type Vec,
} from "./math.ts"
import type { Body } from "./person.ts"
import type { Pose, Side } from "./pose.ts"

export interface Limb {
  /** Shoulder or hip, elbow or knee, wrist or ankle. */
  root: Vec
  hinge: Vec
  tip: Vec
  /** The hand (y along the fingers, z out of the palm) or the foot (z along the toes, y up). */
  end: Basis
}

export interface Joints {
  pelvis: Vec
  waist: Vec
  /** Base of the neck. */
  collar: Vec
  headBase: Vec
  pelvisBasis: Basis
  waistBasis: Basis
  chestBasis: Basis
  headBasis: Basis
  arms: Record<Side, Limb>
  legs: Record<Side, Limb>
}

/** Where a gripped wrist should be and which way its fingers point, in the figure's own coordinates. */
export interface Hold {
  place: Vec
  fingers: Vec
  palm: Vec
}

/** The size that poses are written for. */
const REFERENCE_HEIGHT = 1.75
/** Elbows and knees keep at least this share of the straight limb's bend, so that they never snap. */
const STRAIGHTEST = 0.996
const ELBOW_LIMIT = 150 * DEGREE
const KNEE_LIMIT = 155 * DEGREE

export const sides: readonly Side[] = ["left", "right"]

/** @returns joints in the figure's own coordinates (standing at the origin, facing +z) */
export function solve(body: Body, pose: Pose, holds: Partial<Record<Side, Hold>> = {}): Joints {
  const size = body.height / REFERENCE_HEIGHT
  const feet = { left: foot(body, pose, "left", size), right: foot(body, pose, "right", size) }
  const pelvisBasis = rotation(pose.pelvisPitch * DEGREE, pose.pelvisYaw * DEGREE, pose.pelvisRoll * DEGREE)
  const legLength = body.thigh + body.shank
  let pelvis: Vec = [pose.x * size, body.ankle + legLength * 0.992 + pose.y * size, pose.z * size]
  // A planted foot holds the pelvis down: it never floats above what the leg can reach.
  for (const side of sides) {
    const planted = pose[`${side}FootY`] < 0.03
    const hip = along(pelvis, pelvisBasis.x, side === "left" ? body.hip : -body.hip)
    const gap = distance(hip, feet[side].ankle)
    const reach = legLength * STRAIGHTEST
    if (!planted || gap <= reach) continue
    const flat = (hip[0] - feet[side].ankle[0]) ** 2 + (hip[2] - feet[side].ankle[2]) ** 2
    const high = Math.sqrt(Math.max(0.2, reach * reach - flat))
    pelvis = [pelvis[0], Math.min(pelvis[1], feet[side].ankle[1] + high - (hip[1] - pelvis[1])), pelvis[2]]
  }
  const half = rotation((pose.spinePitch * DEGREE) / 2, (pose.spineYaw * DEGREE) / 2, (pose.spineRoll * DEGREE) / 2)
  const waistBasis = compose(pelvisBasis, half)
  const chestBasis = compose(waistBasis, half)
  const waist = along(pelvis, mixBasis(pelvisBasis, waistBasis, 0.3).y, body.lowerSpine)
  const collar = along(waist, mixBasis(waistBasis, chestBasis, 0.6).y, body.upperSpine)
  const headTurn = rotation(pose.headPitch * DEGREE, pose.headYaw * DEGREE, pose.headRoll * DEGREE)
  const headBasis = compose(chestBasis, headTurn)
  const neckBasis = mixBasis(chestBasis, headBasis, 0.5)
  const headBase = along(along(collar, neckBasis.y, body.neck), neckBasis.z, 0.012 * size)
  return {
    pelvis,
    waist,
    collar,
    headBase,
    pelvisBasis,
    waistBasis,
    chestBasis,
    headBasis,
    arms: {
      left: armOf(body, pose, "left", collar, chestBasis, holds.left),
      right: armOf(body, pose, "right", collar, chestBasis, holds.right),
    },
    legs: {
      left: leg(body, "left", pelvis, pelvisBasis, feet.left),
      right: leg(body, "right", pelvis, pelvisBasis, feet.right),
    },
  }
}

interface Foot {
  ankle: Vec
  basis: Basis
}

/** The ankle and the foot's basis: the heel comes off the ground about the ball of the foot. */
function foot(body: Body, pose: Pose, side: Side, size: number): Foot {
  const pitch = pose[`${side}FootPitch`] * DEGREE
  const yaw = pose[`${side}FootYaw`] * DEGREE
  const level = rotation(0, yaw, 0)
  const tipped = rotation(pitch, yaw, 0)
  const ball = body.foot * 0.52
  const rest: Vec = [pose[`${side}FootX`] * size, body.ankle + pose[`${side}FootY`] * size, pose[`${side}FootZ`] * size]
  if (pitch <= 0) {
    // Toes up: the foot turns about its heel.
    const heel = along(along(rest, level.y, -body.ankle), level.z, -body.foot * 0.22)
    return { ankle: along(along(heel, tipped.y, body.ankle), tipped.z, body.foot * 0.22), basis: tipped }
  }
  const pivot = along(along(rest, level.y, -body.ankle), level.z, ball)
  return { ankle: along(along(pivot, tipped.y, body.ankle), tipped.z, -ball), basis: tipped }
}

function leg(body: Body, side: Side, pelvis: Vec, pelvisBasis: Basis, target: Foot): Limb {
  const outward = side === "left" ? 1 : -1
  const root = along(pelvis, pelvisBasis.x, outward * body.hip)
  const ahead = unit(
    add(add(scale(target.basis.z, 0.8), scale(pelvisBasis.z, 0.6)), scale(pelvisBasis.x, 0.18 * outward)),
  )
  const { hinge, tip } = twoBones(root, target.ankle, body.thigh, body.shank, add(ahead, [0, 0.25, 0]), KNEE_LIMIT)
  return { root, hinge, tip, end: target.basis }
}

function armOf(body: Body, pose: Pose, side: Side, collar: Vec, chest: Basis, hold: Hold | undefined): Limb {
  const outward = side === "left" ? 1 : -1
  const flex = pose[`${side}Flex`] * DEGREE
  const abd = pose[`${side}Abd`] * DEGREE
  const direction = apply(chest, [outward * sin(abd), -cos(flex) * cos(abd), sin(flex) * cos(abd)])
  // Shoulder blades: raised and forward arms take the shoulder with them.
  const raise = clamp(direction[1] * chest.y[1] + direction[0] * chest.y[0] + direction[2] * chest.y[2], -0.3, 1)
  const front = dot(direction, chest.z)
  let root = add(
    collar,
    apply(chest, [
      outward * body.shoulder * (1 - 0.1 * Math.max(0, raise)),
      -0.02 * body.height + 0.022 * body.height * Math.max(0, raise),
      0.012 * body.height * front,
    ]),
  )
  const full = body.upperArm + body.foreArm
  const reach = clamp(pose[`${side}Reach`], 0.3, STRAIGHTEST) * full
  let target = along(root, direction, reach)
  const grip = pose[`${side}Grip`]
  if (hold && grip > 0) {
    target = lerp(target, hold.place, grip)
    const pull = sub(target, root)
    root = along(root, unit(pull), 0.014 * body.height * grip)
  }
  const away = unit(sub(target, root))
  const up = dot(away, chest.y)
  const pole = apply(chest, [outward * 0.75, -1, -0.6 + 1.1 * Math.max(0, up)])
  const bent = turn(perpendicular(pole, away), away, outward * pose[`${side}Swivel`] * DEGREE)
  const { hinge, tip } = twoBones(root, target, body.upperArm, body.foreArm, bent, ELBOW_LIMIT)
  return { root, hinge, tip, end: hand(pose, side, hinge, tip, chest, hold, grip) }
}

function hand(
  pose: Pose,
  side: Side,
  elbow: Vec,
  wrist: Vec,
  chest: Basis,
  hold: Hold | undefined,
  grip: number,
): Basis {
  const outward = side === "left" ? 1 : -1
  const fore = unit(sub(wrist, elbow))
  const inward = apply(chest, [-outward, -0.25 * Math.abs(dot(fore, chest.x)), -0.3])
  const palm = turn(perpendicular(inward, fore, chest.z), fore, outward * pose[`${side}Twist`] * DEGREE)
  const bend = pose[`${side}Wrist`] * DEGREE
  const free = basisAlong(
    along(scale(fore, cos(bend)), palm, -sin(bend)),
    along(scale(palm, cos(bend)), fore, sin(bend)),
  )
  if (!hold || grip <= 0) return free
  return mixBasis(free, basisAlong(hold.fingers, hold.palm), grip)
}

/** Two bones from `root` towards `target`, the hinge on the side of `pole`. The target is moved into reach. */
function twoBones(
  root: Vec,
  target: Vec,
  upper: number,
  lower: number,
  pole: Vec,
  limit: number,
): { hinge: Vec; tip: Vec } {
  const offset = sub(target, root)
  const closest = Math.sqrt(upper * upper + lower * lower + 2 * upper * lower * cos(limit))
  const span = clamp(distance(target, root), closest, (upper + lower) * STRAIGHTEST)
  const axis = unit(offset, [0, -1, 0])
  const side = perpendicular(pole, axis, perpendicular([0, 0, 1], axis))
  const forward = (upper * upper - lower * lower + span * span) / (2 * span)
  const out = Math.sqrt(Math.max(0, upper * upper - forward * forward))
  return { hinge: along(along(root, axis, forward), side, out), tip: along(root, axis, span) }
}

/** The joints of a figure that stands at `place`, turned to its left by `heading` radians. */
export function placed(joints: Joints, place: Vec, heading: number): Joints {
  const basis = rotation(0, heading, 0)
  const at = (v: Vec) => add(place, apply(basis, v))
  const by = (m: Basis) => compose(basis, m)
  const limb = (l: Limb): Limb => ({ root: at(l.root), hinge: at(l.hinge), tip: at(l.tip), end: by(l.end) })
  return {
    pelvis: at(joints.pelvis),
    waist: at(joints.waist),
    collar: at(joints.collar),
    headBase: at(joints.headBase),
    pelvisBasis: by(joints.pelvisBasis),
    waistBasis: by(joints.waistBasis),
    chestBasis: by(joints.chestBasis),
    headBasis: by(joints.headBasis),
    arms: { left: limb(joints.arms.left), right: limb(joints.arms.right) },
    legs: { left: limb(joints.legs.left), right: limb(joints.legs.right) },
  }
}
