/** Actions of the body alone. Channels are explained at `Pose`. */

import { cos, minimumJerk, mix, sin, smoothstep, type Vec } from "./math.ts"
import { type Cast, type Performance, play, rest, shoulderHeight, sizeOf, window } from "./performance.ts"
import { arm, bothArms, type Key, type Pose } from "./pose.ts"
import type { Hold } from "./skeleton.ts"

const still = { props: [], from: 0, to: 0, follow: 0 }

export function wave(cast: Cast): Performance {
  const { rng, style, seconds } = cast
  const big = style.habit < 0.4
  const rate = rng.uniform(1.5, 2.2) * style.tempo * (big ? 0.8 : 1)
  const when = window(rng, 0.08, 0.94)
  const both = rng.next() < 0.12
  const raised = big
    ? { Flex: 22, Abd: 158, Reach: 0.96, Twist: -70, Curl: 0.02, Swivel: 0 }
    : { Flex: 38, Abd: 128, Reach: 0.7, Twist: -75, Curl: 0.02, Swivel: -10 }
  const base = play(cast, when, [
    { at: 0, pose: rest(cast) },
    { at: 0.2, pose: { ...arm("right", raised), spineRoll: 4, headRoll: 4, headYaw: -6, pelvisRoll: -2, x: 0.02 } },
    { at: 0.85, pose: { ...arm("right", raised), spineRoll: 5, headRoll: 6, headYaw: -8 } },
    { at: 1, pose: rest(cast) },
  ])
  const sweep = (big ? 24 : 27) * style.amplitude
  const phase = rng.uniform(0, 3)
  return {
    ...still,
    facing: [0, 40],
    pose: (t) => {
      const pose = base(t)
      const on = smoothstep(0.1, 0.24, when(t)) * (1 - smoothstep(0.8, 0.94, when(t)))
      const side = sin(6.2832 * rate * t * seconds + phase) * on
      pose.rightAbd += sweep * side
      pose.rightFlex += 6 * side
      pose.spineRoll -= 1.5 * side
      if (!both) return pose
      return {
        ...pose,
        leftAbd: pose.rightAbd,
        leftFlex: pose.rightFlex,
        leftReach: pose.rightReach,
        leftTwist: pose.rightTwist,
        leftCurl: pose.rightCurl,
      }
    },
  }
}

const guard = {
  left: { Flex: 58, Abd: 6, Reach: 0.5, Swivel: 0, Curl: 1, Twist: -20 },
  right: { Flex: 62, Abd: 4, Reach: 0.42, Swivel: 0, Curl: 1, Twist: -20 },
}

export function punch(cast: Cast): Performance {
  const { rng, style } = cast
  const when = window(rng, 0.04, 0.96)
  const stance: Partial<Pose> = {
    ...rest(cast),
    leftFootZ: 0.2,
    rightFootZ: -0.22,
    rightFootX: -0.16,
    rightFootYaw: -40,
    leftFootYaw: -8,
    y: -0.06,
    pelvisYaw: -28,
    spineYaw: -8,
    headYaw: 32,
    spinePitch: 8,
    ...arm("left", guard.left),
    ...arm("right", guard.right),
  }
  const jab: Partial<Pose> = {
    ...arm("left", { Flex: 86, Abd: -2, Reach: 0.99, Swivel: 40, Curl: 1, Twist: 60 }),
    spineYaw: -30,
    headYaw: 50,
    z: 0.07,
    spinePitch: 10,
  }
  const cross: Partial<Pose> = {
    ...arm("right", { Flex: 88, Abd: -14, Reach: 0.99, Swivel: 45, Curl: 1, Twist: 60 }),
    pelvisYaw: 18,
    spineYaw: 26,
    headYaw: -34,
    rightFootPitch: 28,
    rightFootYaw: 10,
    z: 0.1,
    spinePitch: 13,
  }
  const count = rng.pick([2, 3, 3])
  const quick = 0.075 / style.tempo
  const keys: Key[] = [{ at: 0, pose: stance }]
  const first = rng.int(2)
  for (let i = 0; i < count; i++) {
    const at = 0.16 + (i * 0.7) / (count - 1 + 0.35)
    const blow = (i + first) % 2 === 0 ? jab : cross
    keys.push({ at: at - quick * 1.6, pose: { ...stance, z: -0.02, pelvisYaw: blow === cross ? -36 : -24 } })
    keys.push({ at, pose: blow })
    keys.push({ at: at + 0.085, pose: blow })
    keys.push({ at: at + 0.085 + quick * 1.8, pose: stance })
  }
  return { ...still, facing: [35, 90], pose: play(cast, when, keys, { ...rest(cast), ...stance }) }
}

export function kick(cast: Cast): Performance {
  const { rng, style } = cast
  const when = window(rng, 0.04, 0.95)
  const high = rng.uniform(0.72, 0.95) * style.amplitude
  const fists = rng.next() < 0.6 ? 1 : 0.4
  const ready: Partial<Pose> = {
    ...rest(cast),
    leftFootZ: 0.08,
    rightFootZ: -0.24,
    rightFootYaw: -25,
    y: -0.04,
    ...arm("left", { Flex: 50, Abd: 14, Reach: 0.6, Curl: fists }),
    ...arm("right", { Flex: 44, Abd: 14, Reach: 0.58, Curl: fists }),
  }
  const lifted: Partial<Pose> = {
    x: 0.09,
    z: 0.06,
    y: -0.03,
    rightFootX: -0.09,
    rightFootYaw: 0,
    pelvisRoll: 3,
  }
  const keys: Key[] = [
    { at: 0, pose: ready },
    { at: 0.2, pose: { ...ready, z: -0.1, y: -0.07, spinePitch: 8, ...bothArms({ Flex: 36 }) } },
    {
      at: 0.38,
      pose: {
        ...lifted,
        rightFootY: 0.42,
        rightFootZ: 0.12,
        rightFootPitch: 35,
        spinePitch: -2,
        pelvisPitch: -6,
        ...arm("left", { Flex: 62 }),
      },
    },
    {
      at: 0.5,
      pose: {
        ...lifted,
        rightFootY: high,
        rightFootZ: 0.84,
        rightFootPitch: 6,
        pelvisPitch: -24,
        spinePitch: -2,
        headPitch: 18,
        z: 0.02,
        ...arm("left", { Flex: 70, Abd: 25, Reach: 0.7 }),
        ...arm("right", { Flex: -30, Abd: 32, Reach: 0.9 }),
      },
    },
    { at: 0.57, pose: { rightFootY: high - 0.04, rightFootZ: 0.82, pelvisPitch: -22, ...arm("right", { Flex: -30 }) } },
    {
      at: 0.7,
      pose: {
        ...lifted,
        rightFootY: 0.4,
        rightFootZ: 0.16,
        rightFootPitch: 30,
        pelvisPitch: -4,
        spinePitch: 4,
        headPitch: 0,
      },
    },
    { at: 0.88, pose: { ...ready, y: -0.07 } },
    { at: 1, pose: ready },
  ]
  return { ...still, facing: [55, 105], pose: play(cast, when, keys, { ...rest(cast), ...ready }) }
}

export function squat(cast: Cast): Performance {
  const { rng, style } = cast
  const when = window(rng, 0.05, 0.96)
  const twice = rng.next() < 0.5
  const deep = rng.uniform(0.36, 0.46) * mix(1, style.amplitude, 0.5)
  const wide = Math.max(0.15, style.stance + 0.05)
  const stand: Partial<Pose> = { ...rest(cast), leftFootX: wide, rightFootX: -wide, leftFootYaw: 22, rightFootYaw: -22 }
  const front = rng.next() < 0.7
  const down: Partial<Pose> = {
    y: -deep,
    z: -0.2,
    pelvisPitch: 32,
    spinePitch: 10,
    headPitch: -30,
    ...bothArms(front ? { Flex: 108, Abd: 2, Reach: 0.97, Curl: 0.2 } : { Flex: 75, Abd: -20, Reach: 0.42, Curl: 0.8 }),
  }
  const keys: Key[] = [{ at: 0, pose: stand }]
  const rounds = twice ? [0.27, 0.76] : [0.5]
  const reach = twice ? 0.04 : 0.1
  for (const at of rounds) {
    keys.push({ at: at - reach, pose: down }, { at: at + reach, pose: { ...down, y: -deep + 0.01 } })
    if (at !== rounds[rounds.length - 1]) keys.push({ at: 0.52, pose: stand })
  }
  keys.push({ at: 1, pose: stand })
  return { ...still, facing: [15, 90], pose: play(cast, when, keys, { ...rest(cast), ...stand }) }
}

export function bow(cast: Cast): Performance {
  const { rng, style } = cast
  const when = window(rng, 0.08, 0.94)
  const deep = rng.uniform(0.85, 1.1) * mix(1, style.amplitude, 0.6)
  const manner = style.habit < 0.45 ? "sides" : style.habit < 0.75 ? "front" : "flourish"
  const hands: Partial<Pose> =
    manner === "sides"
      ? bothArms({ Flex: 20, Abd: 5, Reach: 0.97, Curl: 0.1 })
      : manner === "front"
        ? bothArms({ Flex: 40, Abd: -16, Reach: 0.86, Curl: 0.3, Swivel: 12 })
        : {
            ...arm("right", { Flex: 55, Abd: -22, Reach: 0.58, Swivel: 10, Curl: 0.2 }),
            ...arm("left", { Flex: -8, Abd: 62, Reach: 0.97, Curl: 0.05 }),
          }
  const low: Partial<Pose> = {
    pelvisPitch: 42 * deep,
    spinePitch: 40 * deep,
    headPitch: 14,
    z: -0.1,
    y: -0.02,
    ...hands,
  }
  const feet: Partial<Pose> = { leftFootX: 0.08, rightFootX: -0.08 }
  return {
    ...still,
    facing: [30, 100],
    pose: play(cast, when, [
      { at: 0, pose: { ...rest(cast), ...feet } },
      { at: 0.1, pose: { spinePitch: -3, headPitch: -4, ...(manner === "flourish" ? hands : {}) } },
      { at: 0.44, pose: low },
      { at: 0.6, pose: { ...low, pelvisPitch: 43 * deep } },
      { at: 1, pose: { ...rest(cast), ...feet } },
    ]),
  }
}

export function clap(cast: Cast): Performance {
  const { rng, style, seconds, body } = cast
  const when = window(rng, 0.04, 1)
  const rate = rng.uniform(2, 2.9) * style.tempo
  const size = sizeOf(body)
  const high = shoulderHeight(body) - rng.uniform(0.02, 0.22) * size + (style.habit > 0.8 ? 0.45 * size : 0)
  const front = rng.uniform(0.33, 0.4) * size
  const wide = rng.uniform(0.07, 0.11) * style.amplitude * size
  const gap = (t: number) => {
    const beat = 0.5 - 0.5 * cos(6.2832 * rate * t * seconds)
    return 0.012 * size + wide * beat * (1.2 - 0.2 * beat)
  }
  const base = play(cast, when, [
    { at: -0.05, pose: { ...rest(cast), ...bothArms({ Flex: 20, Reach: 0.9, Curl: 0.2 }) } },
    { at: 0.13, pose: { ...bothArms({ Grip: 1, Flex: 60, Reach: 0.6, Curl: 0.02 }), spinePitch: 5, headPitch: 2 } },
    { at: 1.2, pose: bothArms({ Grip: 1 }) },
  ])
  return {
    ...still,
    facing: [0, 50],
    pose: (t) => {
      const pose = base(t)
      pose.spinePitch += 2 * (gap(t) / wide)
      pose.y -= 0.012 * (1 - gap(t) / wide)
      return pose
    },
    holds: (t) => {
      const half = gap(t)
      const hold = (side: number): Hold => {
        const place: Vec = [side * (half + 0.008), high - 0.05, front]
        return { place, fingers: [side * 0.3 * (half / wide) - side * 0.12, 0.85, 0.55], palm: [-side, 0, 0.15] }
      }
      return { left: hold(1), right: hold(-1) }
    },
  }
}

export function point(cast: Cast): Performance {
  const { rng, style } = cast
  const when = window(rng, 0.08, 0.93)
  const aside = style.habit < 0.55
  const level = rng.uniform(78, 112)
  const aim = aside
    ? { Flex: 20, Abd: rng.uniform(80, 100), Reach: 0.99, Curl: 1, Swivel: 0, Twist: 30 }
    : { Flex: level, Abd: rng.uniform(-6, 22), Reach: 0.99, Curl: 1, Swivel: 20, Twist: 40 }
  const look = aside ? -58 : -6
  const lean: Partial<Pose> = aside
    ? { spineYaw: -14, spineRoll: -4, x: -0.04 }
    : { spineYaw: 12, spinePitch: 6, z: 0.04 }
  const fold = { Flex: 60, Abd: 20, Reach: 0.55, Curl: 1 }
  const jabs = rng.next() < 0.5
  const aimed: Partial<Pose> = { ...arm("right", aim), ...lean, headYaw: look }
  return {
    ...still,
    facing: aside ? [0, 35] : [25, 85],
    pointing: "right",
    pose: play(cast, when, [
      { at: 0, pose: rest(cast) },
      { at: 0.12, pose: { ...arm("right", fold), headYaw: look * 0.7 } },
      { at: 0.3, pose: aimed },
      ...(jabs
        ? [
            { at: 0.48, pose: arm("right", { Reach: 0.86 }) },
            { at: 0.56, pose: arm("right", { Reach: 0.99 }) },
          ]
        : []),
      { at: 0.8, pose: { ...aimed, headYaw: mix(look, 0, minimumJerk(style.habit)) } },
      { at: 1, pose: rest(cast) },
    ]),
  }
}
