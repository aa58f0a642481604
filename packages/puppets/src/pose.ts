/** A pose as numbers, tracks of key poses with eased passages between them, and the mirror image of a pose. */

import { minimumJerk, mix } from "./math.ts"

/**
 * Degrees and metres, for a figure that stands at the origin and faces +z with +x on its left.
 *
 * - `x y z`: where the pelvis is, from where it rests when standing (metres, scaled with the figure's size)
 * - `pelvisPitch … headRoll`: pitch tips forward, yaw turns left, roll leans left; spine and head add to what is below
 * - arms: `Flex` swings forward from hanging (0) over level (90) to overhead (180); `Abd` lifts to the side; `Reach` is
 *   the share of the arm's length from shoulder to wrist; `Swivel` lifts the elbow; `Twist` turns the palm; `Wrist` bends
 *   the hand back; `Curl` closes the fist; `Grip` hands the wrist over to a prop (0..1)
 * - feet: place of the ankle above the ground it rests on, `FootPitch` tips the toes down about the ball of the foot
 */
export const channels = [
  ...["x", "y", "z", "pelvisPitch", "pelvisYaw", "pelvisRoll"],
  ...["spinePitch", "spineYaw", "spineRoll", "headPitch", "headYaw", "headRoll"],
  ...["leftFlex", "leftAbd", "leftReach", "leftSwivel", "leftTwist", "leftWrist", "leftCurl", "leftGrip"],
  ...["rightFlex", "rightAbd", "rightReach", "rightSwivel", "rightTwist", "rightWrist", "rightCurl", "rightGrip"],
  ...["leftFootX", "leftFootY", "leftFootZ", "leftFootPitch", "leftFootYaw"],
  ...["rightFootX", "rightFootY", "rightFootZ", "rightFootPitch", "rightFootYaw"],
] as const

type Trunk = "x" | "y" | "z" | `${"pelvis" | "spine" | "head"}${"Pitch" | "Yaw" | "Roll"}`
type ArmPart = "Flex" | "Abd" | "Reach" | "Swivel" | "Twist" | "Wrist" | "Curl" | "Grip"
type FootPart = "FootX" | "FootY" | "FootZ" | "FootPitch" | "FootYaw"
export type Side = "left" | "right"
export type Channel = Trunk | `${Side}${ArmPart | FootPart}`
export type Pose = Record<Channel, number>

/** Standing at ease. `stance` is half the distance between the feet. */
export function standing(stance = 0.1, openArms = 8, stoop = 2): Pose {
  return {
    x: 0,
    y: 0,
    z: 0,
    pelvisPitch: 0,
    pelvisYaw: 0,
    pelvisRoll: 0,
    spinePitch: stoop,
    spineYaw: 0,
    spineRoll: 0,
    headPitch: -stoop * 0.5,
    headYaw: 0,
    headRoll: 0,
    leftFlex: 4,
    leftAbd: openArms,
    leftReach: 0.97,
    leftSwivel: 0,
    leftTwist: 0,
    leftWrist: 0,
    leftCurl: 0.35,
    leftGrip: 0,
    rightFlex: 4,
    rightAbd: openArms,
    rightReach: 0.97,
    rightSwivel: 0,
    rightTwist: 0,
    rightWrist: 0,
    rightCurl: 0.35,
    rightGrip: 0,
    leftFootX: stance,
    leftFootY: 0,
    leftFootZ: 0,
    leftFootPitch: 0,
    leftFootYaw: 8,
    rightFootX: -stance,
    rightFootY: 0,
    rightFootZ: 0,
    rightFootPitch: 0,
    rightFootYaw: -8,
  }
}

export interface Key {
  /** Share of the performance, 0..1 (or beyond, at either end). */
  at: number
  pose: Partial<Pose>
}

/**
 * A function from time to pose. Every channel passes with minimum jerk from one key that names it to the next; before the
 * first and after the last it holds. `ground` fills channels no key names.
 */
export function track(
  ground: Pose,
  keys: readonly Key[],
): (time: number, lag?: Partial<Record<Channel, number>>) => Pose {
  const lines = new Map<Channel, { at: number; value: number }[]>()
  for (const { at, pose } of [...keys].sort((a, b) => a.at - b.at)) {
    for (const name of channels) {
      const value = pose[name]
      if (value === undefined) continue
      const line = lines.get(name) ?? []
      line.push({ at, value })
      lines.set(name, line)
    }
  }
  return (time, lag) => {
    const pose = { ...ground }
    for (const [name, line] of lines) pose[name] = sample(line, time - (lag?.[name] ?? 0))
    return pose
  }
}

function sample(line: readonly { at: number; value: number }[], time: number): number {
  if (time <= line[0].at) return line[0].value
  for (let i = 1; i < line.length; i++) {
    if (time < line[i].at) {
      const { at, value } = line[i - 1]
      return mix(value, line[i].value, minimumJerk((time - at) / (line[i].at - at)))
    }
  }
  return line[line.length - 1].value
}

const turned: readonly Channel[] = [
  ...(["x", "pelvisYaw", "pelvisRoll", "spineYaw", "spineRoll", "headYaw", "headRoll"] as const),
  ...(["leftFootX", "leftFootYaw", "rightFootX", "rightFootYaw"] as const),
]

/** Each channel with that of the other side; those of the trunk with themselves. */
const twins: readonly (readonly [Channel, Channel])[] = channels.map((name) => {
  const twin = name.replace(/^(?:left|right)/, (side) => (side === "left" ? "right" : "left"))
  return [name, channels.find((other) => other === twin) ?? name]
})

/** The same pose with left and right exchanged. */
export function mirrored(pose: Pose): Pose {
  const other = { ...pose }
  for (const [name, twin] of twins) other[twin] = pose[name]
  for (const name of turned) other[name] = -other[name]
  return other
}

/** One arm's channels by their short names. */
export function arm(side: Side, parts: Partial<Record<ArmPart, number>>): Partial<Pose> {
  return Object.fromEntries(Object.entries(parts).map(([part, value]) => [`${side}${part}`, value]))
}

export function bothArms(parts: Partial<Record<ArmPart, number>>): Partial<Pose> {
  return { ...arm("left", parts), ...arm("right", parts) }
}
