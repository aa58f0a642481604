/** What an action is made of: a pose for every moment, the things it handles, and how steps are laid. */

import type { Rng } from "@fourtier/tensor"
import { type Basis, clamp, cos, IDENTITY, minimumJerk, mix, sin, type Vec } from "./math.ts"
import type { Mesh } from "./mesh.ts"
import type { Body, Style } from "./person.ts"
import { type Channel, type Key, type Pose, type Side, standing, track } from "./pose.ts"
import type { Hold, Joints } from "./skeleton.ts"

export interface Placement {
  place: Vec
  basis: Basis
}

/** A thing in the scene; coordinates are the figure's own (see `Pose`), in metres. */
export interface Prop {
  draw: (mesh: Mesh, placement: Placement) => void
  /** Where it is at clip share `t`; `joints` gives the figure's at any moment. */
  at: (t: number, joints: (t: number) => Joints) => Placement
}

export interface Performance {
  /** Clip share 0..1 to pose. */
  pose: (t: number) => Pose
  props: Prop[]
  /** Where gripping hands go, by clip share. */
  holds?: (t: number) => Partial<Record<Side, Hold>>
  /** Degrees between the figure's front and the camera from which the action reads; the sign is drawn. */
  facing: readonly [number, number]
  /** The figure's way along its own z axis, metres: the picture is centred on its middle. */
  from: number
  to: number
  /** Share of that way the camera follows. */
  follow: number
  pointing?: Side
}

export interface Cast {
  rng: Rng
  body: Body
  style: Style
  seconds: number
}

export type Action = (cast: Cast) => Performance

/** Body height over the height poses are written for. */
export function sizeOf(body: Body): number {
  return body.height / 1.75
}

/** Height of the shoulder joints of the standing figure, metres. */
export function shoulderHeight(body: Body): number {
  return body.ankle + (body.thigh + body.shank) * 0.992 + body.lowerSpine + body.upperSpine - 0.02 * body.height
}

/** Maps the clip's share of time to the action's, leaving a moment of rest at both ends. */
export function window(rng: Rng, early = 0.1, late = 0.9): (t: number) => number {
  const start = early + rng.uniform(-0.05, 0.04)
  const end = late + rng.uniform(-0.04, 0.04)
  return (t) => (t - start) / (end - start)
}

export function rest(cast: Cast): Pose {
  const { stance, openArms, stoop } = cast.style
  return standing(stance, openArms, stoop)
}

/** Key poses played on a window of the clip; hands lag behind the trunk and the head leads it, by the personal style. */
export function play(
  cast: Cast,
  when: (t: number) => number,
  keys: readonly Key[],
  ground: Pose = rest(cast),
): (t: number) => Pose {
  const follow = track(ground, keys)
  const lag = (cast.style.lag / cast.seconds) * 1.2
  const lags: Partial<Record<Channel, number>> = {}
  for (const side of ["left", "right"] as const) {
    lags[`${side}Flex`] = lag
    lags[`${side}Abd`] = lag
    lags[`${side}Reach`] = lag * 1.3
    lags[`${side}Swivel`] = lag
  }
  lags.headPitch = -lag * 0.6
  lags.headYaw = -lag
  return (t) => follow(when(t), lags)
}

/** Adds breath, sway and small glances to a pose, so that nobody stands frozen. */
export function alive(cast: Cast): (pose: Pose, t: number) => Pose {
  const { rng, style, seconds } = cast
  const phase = Array.from({ length: 6 }, () => rng.uniform(0, 6.28))
  const k = style.restlessness
  const glance = rng.uniform(-14, 14)
  return (pose, t) => {
    const s = t * seconds
    const sway = sin(s * 1.5 + phase[0]) * k
    const planted = pose.leftFootY < 0.05 && pose.rightFootY < 0.05 ? 1 : 0.3
    return {
      ...pose,
      x: pose.x + 0.012 * sway * planted,
      pelvisRoll: pose.pelvisRoll - 0.9 * sway * planted,
      spineRoll: pose.spineRoll + 1.3 * sway,
      spinePitch: pose.spinePitch + 1 * k * sin(s * 2.2 + phase[1]),
      spineYaw: pose.spineYaw + 1.5 * k * sin(s * 1.1 + phase[2]),
      headYaw: pose.headYaw + glance * 0.4 + 4 * k * sin(s * 1.3 + phase[3]),
      headPitch: pose.headPitch + 1.5 * k * sin(s * 1.7 + phase[4]),
      leftFlex: pose.leftFlex + 1.5 * k * sin(s * 1.6 + phase[5]),
      rightFlex: pose.rightFlex + 1.5 * k * sin(s * 1.9 + phase[1]),
    }
  }
}

/** The same performance played backwards. */
export function reversed(forward: Performance): Performance {
  const { pose, props, holds } = forward
  return {
    ...forward,
    pose: (t) => pose(1 - t),
    props: props.map((prop) => ({ ...prop, at: (t, joints) => prop.at(1 - t, (s) => joints(1 - s)) })),
    ...(holds ? { holds: (t) => holds(1 - t) } : {}),
    from: forward.to,
    to: forward.from,
  }
}

export interface Gait {
  /** Metres from one footfall to the next. */
  step: number
  lift: number
  /** Share of a cycle that a foot is on the ground: above a half walks, below it runs. */
  stance: number
  /** Degrees by which the heel peels off and the toes rise. */
  peel: number
  /** Extra lift of the heel early in the swing, metres. */
  flick: number
}

/**
 * Feet of a figure whose pelvis has gone `way` metres; planted feet do not slide. `pace` 0..1 fades the lift in and out,
 * so that a halt leaves both feet on the ground.
 */
export function footfalls(way: number, gait: Gait, pace: number): Partial<Pose> {
  const cycle = 2 * gait.step
  const pose: Partial<Pose> = {}
  for (const [side, offset] of [
    ["left", 0.5 * gait.stance],
    ["right", 0.5 * gait.stance + 0.5],
  ] as const) {
    const phase = way / cycle + offset
    const k = Math.floor(phase)
    const share = phase - k
    const planted = (n: number) => cycle * (n + 0.5 * gait.stance - offset)
    const peeling = 0.62 * gait.stance
    if (share < gait.stance) {
      const strike = clamp(1 - share / 0.09, 0, 1)
      const off = clamp((share - peeling) / (gait.stance - peeling), 0, 1)
      pose[`${side}FootZ`] = planted(k)
      pose[`${side}FootY`] = 0
      pose[`${side}FootPitch`] = (off * off * gait.peel - strike * 0.4 * gait.peel) * pace
    } else {
      const q = (share - gait.stance) / (1 - gait.stance)
      pose[`${side}FootZ`] = mix(planted(k), planted(k + 1), 0.35 * q + 0.65 * minimumJerk(q))
      const early = sin(Math.PI * Math.min(1, q * 1.25))
      pose[`${side}FootY`] = (gait.lift * sin(Math.PI * q) + gait.flick * early * early) * pace
      pose[`${side}FootPitch`] = mix(gait.peel * (1 + gait.flick * 2), -0.4 * gait.peel, minimumJerk(q * 1.1)) * pace
    }
  }
  return pose
}

/** How arms and trunk answer the legs after `way` metres. */
export function swing(way: number, gait: Gait, amplitude: number): Partial<Pose> {
  const turn = (Math.PI * way) / gait.step
  const c = cos(turn)
  const s = sin(turn)
  return {
    pelvisYaw: -6 * s * amplitude,
    spineYaw: 11 * s * amplitude,
    pelvisRoll: 2.5 * c * amplitude,
    spineRoll: -2.5 * c * amplitude,
    headYaw: -5 * s * amplitude,
    x: 0.018 * c,
    leftFlex: 5 + 26 * s * amplitude,
    rightFlex: 5 - 26 * s * amplitude,
  }
}

export const upright: Basis = IDENTITY
