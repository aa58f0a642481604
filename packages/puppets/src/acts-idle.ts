/** What figures do between actions: nothing much, small gestures, a few steps to somewhere else. Channels are explained at `Pose`. */

import { clamp, minimumJerk, mix, sin, smoothstep } from "./math.ts"
import { type Cast, footfalls, type Gait, type Performance, play, rest, sizeOf, swing } from "./performance.ts"
import { arm, bothArms, type Pose } from "./pose.ts"

const still: Omit<Performance, "pose"> = { props: [], facing: [0, 80], from: 0, to: 0, follow: 0 }

/** Stands, in one of several manners, and looks around. */
export function stand(cast: Cast): Performance {
  const { rng } = cast
  const manner: Partial<Pose> = rng.pick([
    {},
    {},
    { ...bothArms({ Abd: 32, Reach: 0.66, Flex: 8 }) },
    { ...bothArms({ Flex: 30, Reach: 0.62 }), leftAbd: -14, rightAbd: -16 },
    { ...arm("right", { Flex: 12, Abd: 16, Reach: 0.7, Curl: 0.6 }) },
  ])
  const look = rng.uniform(-50, 50)
  const when = (t: number) => t
  const pose = play(cast, when, [
    { at: 0, pose: { ...rest(cast), ...manner } },
    { at: rng.uniform(0.2, 0.35), pose: { headYaw: look, spineYaw: look * 0.2 } },
    { at: rng.uniform(0.5, 0.65), pose: { headYaw: look, spineYaw: look * 0.2 } },
    { at: rng.uniform(0.75, 0.9), pose: { headYaw: 0, spineYaw: 0, ...manner } },
  ])
  return { ...still, pose }
}

/** Scratches the head, looks at something in the hand, or stretches. */
export function gesture(cast: Cast): Performance {
  const { rng } = cast
  const kind = rng.pick(["scratch", "look", "stretch"] as const)
  const rate = rng.uniform(2.5, 4)
  const held: Record<typeof kind, Partial<Pose>> = {
    scratch: { ...arm("right", { Flex: 70, Abd: 78, Reach: 0.5, Swivel: 30, Curl: 0.5 }), headRoll: -8, headPitch: 8 },
    look: { ...arm("right", { Flex: 48, Abd: -8, Reach: 0.5, Curl: 0.7, Twist: 40 }), headPitch: 24, spinePitch: 8 },
    stretch: {
      ...bothArms({ Flex: 20, Abd: 120, Reach: 0.72, Swivel: 25, Curl: 0.8 }),
      spinePitch: -10,
      headPitch: -12,
    },
  }
  const base = play(cast, (t) => t, [
    { at: 0, pose: rest(cast) },
    { at: 0.28, pose: held[kind] },
    { at: 0.76, pose: held[kind] },
    { at: 1, pose: rest(cast) },
  ])
  return {
    ...still,
    pose: (t) => {
      const pose = base(t)
      const on = smoothstep(0.2, 0.32, t) * (1 - smoothstep(0.7, 0.82, t))
      if (kind === "scratch") pose.rightReach += 0.025 * on * sin(6.2832 * rate * t * cast.seconds)
      return pose
    },
  }
}

/** Seconds that a walk over so many metres takes. */
export function strollSeconds({ body, style }: Pick<Cast, "body" | "style">, way: number): number {
  return Math.max(1.1, way / (0.95 * style.tempo * sizeOf(body)) + 0.5)
}

/** Walks so many metres, from standing to standing. */
export function stroll(cast: Cast, metres: number): Performance {
  const { rng, style, body } = cast
  const size = sizeOf(body)
  const way = metres / size
  const steps = Math.max(1, Math.round(way / 0.6))
  const gait: Gait = { step: way / steps, lift: 0.07, stance: 0.6, peel: 40, flick: 0.05 }
  const swagger = style.amplitude * rng.uniform(0.7, 1.1)
  const ground = rest(cast)
  return {
    ...still,
    facing: [0, 180],
    from: -metres / 2,
    to: metres / 2,
    pose: (t) => {
      const u = clamp(t, 0, 1)
      const pace = smoothstep(0, 0.15, u) * (1 - smoothstep(0.85, 1, u))
      const gone = mix(u, minimumJerk(u), 0.6) * way
      const feet = footfalls(gone, gait, pace)
      const wide = mix(style.stance, 0.075, pace)
      return {
        ...ground,
        ...swing(gone, gait, swagger * pace),
        x: 0,
        ...feet,
        leftFootX: wide,
        rightFootX: -wide,
        leftFootZ: (feet.leftFootZ ?? 0) - way / 2,
        rightFootZ: (feet.rightFootZ ?? 0) - way / 2,
        spinePitch: ground.spinePitch + 3 * pace,
        y: -0.02 * pace,
        z: gone - way / 2,
      }
    },
  }
}
