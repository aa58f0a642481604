/**
 * What does a video show? Loads the bundle of a run and prints the most probable classes of a file.
 *
 *   node examples/dist/recognise.js runs/clips/bundle new.mp4
 */

import { type Guess, Recognizer } from "fourtier"

export async function main(bundle: string, file: string): Promise<Guess[]> {
  const recognizer = await Recognizer.load(bundle)
  try {
    const { top, padded } = await recognizer.predict(file, { top: 3 })
    if (padded > 0) console.log(`the clip is short: ${padded} frames repeat a neighbour`)
    return top
  } finally {
    await recognizer.release()
  }
}

if (process.argv[1] === import.meta.filename) {
  const [bundle, file] = process.argv.slice(2)
  if (file === undefined) throw new Error("expected a bundle's folder and a video file")
  for (const { label, probability } of await main(bundle, file)) {
    console.log(`${(100 * probability).toFixed(1).padStart(5)} %  ${label}`)
  }
}
