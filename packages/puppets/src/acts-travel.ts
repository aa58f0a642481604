/** Walking, running, jumping. Channels are explained at `Pose`. */

import { clamp, cos, mix, sin, smoothstep } from "./math.ts"
import { type Cast, footfalls, type Gait, type Performance, play, rest, sizeOf, swing, window } from "./performance.ts"
import { bothArms, type Key, type Pose } from "./pose.ts"

export function walk(cast: Cast): Performance {
  const { rng, style, seconds, body } = cast
  const gait: Gait = { step: rng.uniform(0.58, 0.72), lift: 0.07, stance: 0.6, peel: 42, flick: 0.06 }
  const speed = rng.uniform(1, 1.25) * style.tempo
  const swagger = style.amplitude * rng.uniform(0.8, 1.3)
  const size = sizeOf(body)
  const ground = rest(cast)
  const way = speed * seconds * size
  const offset = rng.uniform(0, 1)
  return {
    props: [],
    facing: [58, 112],
    from: -way / 2,
    to: way / 2,
    follow: 0.35,
    pose: (t) => {
      const gone = speed * seconds * t + offset
      const feet = footfalls(gone, gait, 1)
      const turn = (Math.PI * gone) / gait.step
      const shift = speed * seconds * 0.5 + offset
      return {
        ...ground,
        ...swing(gone, gait, swagger),
        ...feet,
        leftFootX: 0.075,
        rightFootX: -0.075,
        leftFootZ: (feet.leftFootZ ?? 0) - shift,
        rightFootZ: (feet.rightFootZ ?? 0) - shift,
        leftReach: 0.95 - 0.06 * Math.max(0, sin(turn)),
        rightReach: 0.95 - 0.06 * Math.max(0, -sin(turn)),
        spinePitch: ground.spinePitch + 3,
        y: -0.015 - 0.018 * cos(2 * turn),
        z: gone - shift,
      }
    },
  }
}

export function run(cast: Cast): Performance {
  const { rng, style, seconds, body } = cast
  const gait: Gait = { step: rng.uniform(0.88, 1.05), lift: 0.1, stance: 0.36, peel: 55, flick: 0.3 }
  const speed = rng.uniform(2, 2.5) * mix(1, style.tempo, 0.6)
  const drive = style.amplitude * rng.uniform(0.9, 1.2)
  const ground = rest(cast)
  const way = speed * seconds * sizeOf(body)
  const offset = rng.uniform(0, 1)
  return {
    props: [],
    facing: [76, 102],
    from: -way / 2,
    to: way / 2,
    follow: 0.88,
    pose: (t) => {
      const gone = speed * seconds * t + offset
      const feet = footfalls(gone, gait, 1)
      const turn = (Math.PI * gone) / gait.step
      const shift = speed * seconds * 0.5 + offset
      const s = sin(turn)
      return {
        ...ground,
        ...swing(gone, gait, 1.4 * drive),
        ...feet,
        leftFootX: 0.05,
        rightFootX: -0.05,
        leftFootYaw: 0,
        rightFootYaw: 0,
        leftFootZ: (feet.leftFootZ ?? 0) - shift,
        rightFootZ: (feet.rightFootZ ?? 0) - shift,
        ...bothArms({ Reach: 0.68, Abd: 10, Curl: 0.85, Swivel: -12 }),
        leftFlex: 18 + 42 * s * drive,
        rightFlex: 18 - 42 * s * drive,
        pelvisPitch: 5,
        spinePitch: 9,
        headPitch: -8,
        y: -0.03 - 0.045 * cos(2 * turn + 0.5),
        z: gone - shift,
      }
    },
  }
}

export function jump(cast: Cast): Performance {
  const { rng, style, seconds } = cast
  const high = rng.uniform(0.22, 0.31) * style.amplitude
  const spread = rng.next() < 0.35
  const when = window(rng, 0.06, 0.94)
  const armsUp = spread
    ? { Flex: 20, Abd: 150, Reach: 0.98, Curl: 0.1 }
    : { Flex: 165, Abd: 14, Reach: 0.97, Curl: 0.2 }
  const crouch: Partial<Pose> = {
    y: -0.27,
    z: -0.06,
    pelvisPitch: 26,
    spinePitch: 22,
    headPitch: -26,
    ...bothArms({ Flex: -42, Abd: 12, Reach: 0.95 }),
  }
  const leave = 0.38
  const land = 0.68
  const keys: Key[] = [
    { at: 0, pose: { ...rest(cast), ...bothArms({ Flex: 10 }) } },
    { at: 0.28, pose: crouch },
    { at: leave + 0.03, pose: { y: 0, z: 0, pelvisPitch: 2, spinePitch: -4, headPitch: -12, ...bothArms(armsUp) } },
    { at: (leave + land) / 2, pose: { spinePitch: -6, headPitch: -6 } },
    { at: land - 0.01, pose: { y: -0.05, ...bothArms({ ...armsUp, Flex: armsUp.Flex * 0.7 }) } },
    { at: 0.79, pose: { ...crouch, y: -0.22, ...bothArms({ Flex: 24, Abd: 22, Reach: 0.92 }) } },
    { at: 1, pose: { ...rest(cast), ...bothArms({ Flex: 6, Abd: 10, Reach: 0.96 }) } },
  ]
  const base = play(cast, when, keys)
  const tuck = rng.uniform(0.02, 0.14)
  return {
    props: [],
    from: 0,
    to: 0,
    follow: 0,
    facing: [5, 75],
    pose: (t) => {
      const pose = base(t)
      const share = clamp((when(t) - leave) / (land - leave), 0, 1)
      const up = 4 * share * (1 - share)
      const air = smoothstep(0, 0.25, up)
      const flight = high * up
      const toes = 40 * air
      return {
        ...pose,
        y: pose.y + flight,
        leftFootY: flight + tuck * up,
        rightFootY: flight + tuck * up,
        leftFootX: pose.leftFootX + (spread ? 0.16 * up : 0),
        rightFootX: pose.rightFootX - (spread ? 0.16 * up : 0),
        leftFootZ: -0.05 * up * seconds * 0.5,
        rightFootZ: -0.05 * up * seconds * 0.5,
        leftFootPitch: toes,
        rightFootPitch: toes,
      }
    },
  }
}
