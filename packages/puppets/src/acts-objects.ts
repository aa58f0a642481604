/** Actions on things: sitting down, pushing, raising, throwing, picking up. */

import { add, apply, clamp, lerp, minimumJerk, mix, rotation, scale, sin, smoothstep, type Vec } from "./math.ts"
import {
  type Cast,
  footfalls,
  type Gait,
  type Performance,
  play,
  rest,
  shoulderHeight,
  sizeOf,
  upright,
  window,
} from "./performance.ts"
import { arm, bothArms, type Key, type Pose } from "./pose.ts"
import { hanging, makeBag, makeBall, makeCart, makeLoad, makeSeat, onFloor } from "./props.ts"
import type { Hold, Joints } from "./skeleton.ts"

export function sitDown(cast: Cast): Performance {
  const { rng, style, body } = cast
  const size = sizeOf(body)
  const seat = rng.uniform(0.42, 0.48)
  const hips = (seat + 0.075 * size + 0.015 - body.ankle - (body.thigh + body.shank) * 0.992) / size
  const back = -0.4
  const draw = makeSeat(rng, seat)
  const when = window(rng, 0.1, 0.9)
  const balance =
    style.habit < 0.5
      ? bothArms({ Flex: 42, Abd: 10, Reach: 0.9, Swivel: 15 })
      : bothArms({ Flex: 68, Abd: 8, Reach: 0.86, Swivel: 0 })
  const seated: Partial<Pose> = {
    y: hips,
    z: back,
    pelvisPitch: -6,
    spinePitch: style.stoop + 2,
    headPitch: 0,
    ...bothArms({ Flex: 33, Abd: 6, Reach: 0.9, Swivel: 12, Curl: 0.25 }),
  }
  const keys: Key[] = [
    { at: 0, pose: rest(cast) },
    { at: 0.14, pose: { y: -0.02, z: 0, spinePitch: 8, headPitch: 8, headYaw: rng.uniform(-25, 25) } },
    {
      at: 0.5,
      pose: { y: hips * 0.62, z: back * 0.72, pelvisPitch: 26, spinePitch: 30, headPitch: -18, headYaw: 0, ...balance },
    },
    { at: 0.74, pose: { y: hips, z: back, pelvisPitch: 16, spinePitch: 24, headPitch: -14 } },
    { at: 1, pose: seated },
  ]
  return {
    facing: [25, 88],
    from: -0.2,
    to: -0.2,
    follow: 0,
    pose: play(cast, when, keys),
    props: [{ draw, at: () => onFloor(0, (back - 0.02) * size) }],
  }
}

export function push(cast: Cast): Performance {
  const { rng, style, body } = cast
  const size = sizeOf(body)
  const cart = makeCart(rng)
  const gait: Gait = { step: rng.uniform(0.34, 0.42), lift: 0.06, stance: 0.6, peel: 30, flick: 0.03 }
  const steps = rng.pick([3, 4])
  const way = gait.step * steps
  const lean = rng.uniform(8, 17)
  const when = window(rng, 0.05, 0.95)
  const ahead = rng.uniform(0.4, 0.46) * size
  const progress = (t: number) => {
    const u = clamp(when(t), 0, 1)
    return mix(u, minimumJerk(u), 0.55) * way
  }
  const pace = (t: number) => smoothstep(-0.02, 0.12, when(t)) * (1 - smoothstep(0.88, 1.02, when(t)))
  const ground = rest(cast)
  const cartAt = (t: number) => (progress(t) - way / 2) * size + ahead + cart.back
  return {
    facing: [68, 102],
    from: (-way / 2) * size + 0.35,
    to: (way / 2) * size + 0.35,
    follow: 0.1,
    pose: (t) => {
      const gone = progress(t)
      const feet = footfalls(gone, gait, pace(t))
      const turn = (Math.PI * gone) / gait.step
      return {
        ...ground,
        ...feet,
        leftFootZ: (feet.leftFootZ ?? 0) - way / 2 - 0.06,
        rightFootZ: (feet.rightFootZ ?? 0) - way / 2 - 0.06,
        ...bothArms({ Grip: 1, Curl: 0.85, Flex: 50, Reach: 0.8, Swivel: 10 }),
        y: -0.045 - 0.012 * sin(2 * turn) * style.amplitude,
        z: gone - way / 2,
        x: 0.012 * sin(turn),
        pelvisPitch: lean * 0.6,
        pelvisYaw: -4 * sin(turn),
        spineYaw: 4 * sin(turn),
        spinePitch: lean,
        headPitch: -lean * 0.8,
      }
    },
    holds: (t) => {
      const hold = (side: number): Hold => ({
        place: [side * 0.2, cart.handle + 0.035, cartAt(t) - cart.back - 0.075],
        fingers: [0, -0.3, 1],
        palm: [0, -1, -0.3],
      })
      return { left: hold(1), right: hold(-1) }
    },
    props: [{ draw: cart.draw, at: (t) => onFloor(0, cartAt(t)) }],
  }
}

export function raise(cast: Cast): Performance {
  const { rng, style, body } = cast
  const size = sizeOf(body)
  const load = makeLoad(rng)
  const shoulders = shoulderHeight(body)
  const when = window(rng, 0.12, 0.88)
  const low: Vec = [0, shoulders - rng.uniform(0.4, 0.5) * size, (load.bar ? 0.26 : 0.36) * size]
  const chest: Vec = [0, shoulders + 0.06 * size, 0.38 * size]
  const top: Vec = [0, shoulders + (load.bar ? 0.48 : 0.38) * size + (load.bar ? 0 : load.tall * 0.7), 0.14 * size]
  const wide = mix(0.1, 0.16, style.habit)
  const placeOf = (t: number): Vec => {
    const u = clamp(when(t), 0, 1)
    const share = mix(u, minimumJerk(u), 0.8)
    const a = lerp(low, chest, share)
    const b = lerp(chest, top, share)
    return lerp(a, b, share)
  }
  const feet: Partial<Pose> = { leftFootX: wide, rightFootX: -wide, leftFootYaw: 12, rightFootYaw: -12 }
  const grip = { Grip: 1, Curl: load.bar ? 0.95 : 0.15, Flex: 45, Reach: 0.8, Swivel: load.bar ? 25 : 12 }
  const keys: Key[] = [
    { at: 0, pose: { spinePitch: 5, headPitch: 14, y: -0.02, pelvisPitch: 2 } },
    { at: 0.2, pose: { spinePitch: 8, headPitch: 8, y: -0.08, pelvisPitch: 6 } },
    { at: 0.6, pose: { spinePitch: -5, headPitch: -10, y: -0.01, pelvisPitch: 0 } },
    { at: 1, pose: { spinePitch: -7, headPitch: -24, y: 0, pelvisPitch: -1 } },
  ]
  return {
    facing: [8, 70],
    from: 0,
    to: 0,
    follow: 0,
    pose: play(cast, when, keys, { ...rest(cast), ...feet, ...bothArms(grip) }),
    holds: (t) => {
      const place = placeOf(t)
      const share = clamp(when(t), 0, 1)
      const hold = (side: number): Hold => {
        const fingers: Vec = load.bar ? [0, 1, 0.25] : [0, mix(0.35, 0.9, share), mix(1, 0.3, share)]
        const palm: Vec = load.bar ? [0, mix(0.2, -0.1, share), 1] : [-side, 0, 0]
        const wrist = add(place, scale(fingers, load.bar ? -0.07 : -0.08))
        return {
          place: [side * (load.half + (load.bar ? 0 : 0.015)), wrist[1] - (load.bar ? 0 : 0.02), wrist[2]],
          fingers,
          palm,
        }
      }
      return { left: hold(1), right: hold(-1) }
    },
    props: [{ draw: load.draw, at: (t) => ({ place: placeOf(t), basis: upright }) }],
  }
}

export function throwBall(cast: Cast): Performance {
  const { rng, style, seconds } = cast
  const radius = rng.uniform(0.05, 0.085)
  const draw = makeBall(rng, radius)
  const when = window(rng, 0.04, 0.97)
  const release = 0.53
  const far = style.amplitude
  const stand: Partial<Pose> = {
    ...rest(cast),
    leftFootZ: 0.05,
    rightFootZ: -0.12,
    rightFootYaw: -35,
    ...arm("right", { Flex: 50, Abd: 6, Reach: 0.62, Curl: 0.55 }),
    ...arm("left", { Flex: 38, Abd: 2, Reach: 0.66 }),
  }
  const keys: Key[] = [
    { at: 0, pose: stand },
    {
      at: 0.34,
      pose: {
        z: -0.13,
        y: -0.07,
        pelvisYaw: -42,
        spineYaw: -34 * far,
        spineRoll: -10,
        spinePitch: -6,
        headYaw: 66,
        leftFootZ: 0.18,
        leftFootY: 0.12,
        leftFootPitch: 14,
        ...arm("right", { Flex: 30, Abd: 112, Reach: 0.66, Swivel: 40, Curl: 0.55, Wrist: 30 }),
        ...arm("left", { Flex: 86, Abd: 40, Reach: 0.95, Curl: 0.2 }),
      },
    },
    {
      at: 0.45,
      pose: {
        z: 0.06,
        y: -0.09,
        leftFootZ: 0.46,
        leftFootY: 0,
        leftFootPitch: 0,
        pelvisYaw: -12,
        spineYaw: -26,
        ...arm("right", { Flex: 60, Abd: 112, Reach: 0.6, Swivel: 40, Wrist: 40 }),
        ...arm("left", { Flex: 70, Abd: 30, Reach: 0.7 }),
      },
    },
    {
      at: release,
      pose: {
        z: 0.2,
        pelvisYaw: 14,
        spineYaw: 20,
        spinePitch: 12,
        spineRoll: 8,
        headYaw: -20,
        rightFootPitch: 34,
        ...arm("right", { Flex: 128, Abd: 22, Reach: 0.98, Swivel: 10, Curl: 0.2, Wrist: -10 }),
        ...arm("left", { Flex: 10, Abd: 24, Reach: 0.6 }),
      },
    },
    {
      at: 0.68,
      pose: {
        z: 0.27,
        y: -0.1,
        pelvisYaw: 24,
        spineYaw: 34 * far,
        spinePitch: 34,
        spineRoll: 0,
        headYaw: -34,
        headPitch: -24,
        rightFootPitch: 52,
        rightFootZ: 0,
        rightFootY: 0.02,
        ...arm("right", { Flex: 42, Abd: -26, Reach: 0.94, Curl: 0.2 }),
        ...arm("left", { Flex: -16, Abd: 24, Reach: 0.7 }),
      },
    },
    {
      at: 1,
      pose: {
        z: 0.2,
        y: -0.03,
        pelvisYaw: 4,
        spineYaw: 4,
        spinePitch: 6,
        headYaw: -4,
        headPitch: -4,
        rightFootPitch: 12,
        rightFootZ: 0,
        rightFootY: 0,
        ...arm("right", { Flex: 10, Abd: 8, Reach: 0.94 }),
        ...arm("left", { Flex: 6, Abd: 8, Reach: 0.94 }),
      },
    },
  ]
  const base = play(cast, when, keys, { ...rest(cast), ...stand })
  const lag = (style.lag / seconds) * 1.2
  const start = release + lag
  const inHand = ({ arms }: Joints) => add(arms.right.tip, apply(arms.right.end, [0, 0.1, 0.04 + radius * 0.5]))
  let released: Vec | undefined
  const speed: Vec = [0, rng.uniform(1, 2.2), rng.uniform(2.9, 4.2)]
  return {
    facing: [40, 88],
    from: 0.25,
    to: 0.25,
    follow: 0,
    pose: base,
    props: [
      {
        draw,
        at: (t, joints) => {
          const now = joints(t)
          if (when(t) <= start) return { place: inHand(now), basis: now.arms.right.end }
          const whole = when(1) - when(0)
          const letGo = (start - when(0)) / whole
          const after = (t - letGo) * seconds
          released ??= inHand(joints(letGo))
          const place = add(released, [0, speed[1] * after - 4.9 * after * after, speed[2] * after])
          return { place: [place[0], Math.max(radius, place[1]), place[2]], basis: rotation(after * 9, 0, 0) }
        },
      },
    ],
  }
}

export function pickUp(cast: Cast): Performance {
  const { rng, style, body } = cast
  const size = sizeOf(body)
  const when = window(rng, 0.04, 0.96)
  const grasp = 0.42
  const squatting = style.habit < 0.5
  const both = rng.next() < 0.5
  const bag = makeBag(rng)
  const load = makeLoad(rng)
  const front = (both ? 0.4 : 0.3) * size
  const aside = both ? 0 : -0.16 * size
  const lowGrip: Vec = both ? [0, load.tall, front] : [aside, bag.grip, front]
  const shoulders = shoulderHeight(body)
  const highGrip: Vec = both
    ? [0, shoulders - 0.36 * size, 0.36 * size]
    : [-0.24 * size, shoulders - 0.5 * size, 0.1 * size]
  const bend: Partial<Pose> = squatting
    ? {
        y: both ? -0.46 : -0.42,
        z: -0.16,
        pelvisPitch: 42,
        spinePitch: 30,
        headPitch: -16,
        leftFootPitch: 8,
        rightFootPitch: 8,
      }
    : { y: -0.2, z: -0.16, pelvisPitch: 62, spinePitch: 44, headPitch: 0 }
  const keys: Key[] = [
    { at: 0, pose: { ...rest(cast), headPitch: 16 } },
    { at: 0.12, pose: { headPitch: 22, spinePitch: 6 } },
    { at: grasp - 0.04, pose: { ...bend, ...bothArms({ Curl: both ? 0.1 : 0.4 }) } },
    { at: grasp + 0.06, pose: { ...bend, y: (bend.y ?? 0) + 0.02, ...bothArms({ Curl: both ? 0.15 : 0.9 }) } },
    { at: 0.86, pose: { ...rest(cast), spinePitch: both ? -2 : 3, headPitch: 8 } },
  ]
  const gripping: Key[] = [
    { at: 0.08, pose: both ? bothArms({ Grip: 0 }) : arm("right", { Grip: 0 }) },
    { at: grasp - 0.06, pose: both ? bothArms({ Grip: 1 }) : arm("right", { Grip: 1 }) },
  ]
  const gripAt = (t: number): Vec => {
    const share = minimumJerk((when(t) - grasp) / (0.86 - grasp))
    const lift = lerp(lowGrip, highGrip, share)
    return [lift[0], lift[1], lift[2] + 0.1 * size * sin(Math.PI * share)]
  }
  return {
    facing: [30, 95],
    from: 0.15,
    to: 0.15,
    follow: 0,
    pose: play(cast, when, [...keys.slice(0, 5), ...gripping], { ...rest(cast), leftFootX: 0.15, rightFootX: -0.15 }),
    holds: (t) => {
      const grip = gripAt(t)
      if (!both) {
        return { right: { place: add(grip, [0, 0.07, -0.02]), fingers: [0, -1, 0.2], palm: [1, 0, 0] } }
      }
      const hold = (side: number): Hold => ({
        place: add(grip, [side * (load.half + 0.01), 0.02, -0.09]),
        fingers: [0, -0.4, 1],
        palm: [-side, 0, 0],
      })
      return { left: hold(1), right: hold(-1) }
    },
    props: [
      both
        ? { draw: load.draw, at: (t) => ({ place: gripAt(t), basis: upright }) }
        : { draw: bag.draw, at: (t) => hanging(gripAt(t), bag.grip, [0.3, 0, 1]) },
    ],
  }
}
