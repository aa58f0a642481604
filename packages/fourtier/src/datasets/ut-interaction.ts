/**
 * UT-Interaction, the segmented clips: `<number>_<sequence>_<label>.avi`, sequences 1 to 10 in set 1, 11 to 20 in set 2. There are no
 * annotation files.
 *
 * Ryoo and Aggarwal 2010, https://cvrc.ece.utexas.edu/SDHA2010/Human_Interaction.html. Protocol: in each set, every sequence is
 * tested once with the others to train on.
 */

import { FourtierError } from "@fourtier/tensor"
import type { AnnotatedClip, Dataset } from "./dataset.ts"
import { stemOf } from "./files.ts"

const LABELS = ["hand_shake", "hug", "kick", "point", "punch", "push"]

/** The numbers in a name; a set before them where somebody put both into one folder. */
const NAME = /^(?:set[12]_)?(\d+)_(\d+)_(\d+)$/i

const SEQUENCES = 20

export const utInteraction: Dataset = {
  name: "ut-interaction",
  title: "UT-Interaction",
  reads: "the names of its files: <number>_<sequence>_<label>.avi",
  published: { classes: 6, parts: { "": 120 } },
  columns: ["group", "set", "fold10", "fold_set1", "fold_set2", "split_seq", "split_cross_scene"],
  *read(_, files, notes): Generator<AnnotatedClip> {
    const others: string[] = []
    let clips = 0
    for (const file of files.videos) {
      const [, , sequence, number] = NAME.exec(stemOf(file)) ?? []
      const label = LABELS[Number(number)]
      if (label === undefined || !(Number(sequence) >= 1 && Number(sequence) <= SEQUENCES)) {
        others.push(file)
        continue
      }
      clips++
      yield { where: file, name: file, file, label, split: "", columns: columnsOf(Number(sequence)) }
    }
    if (clips === 0) {
      throw new FourtierError({
        where: files.root,
        what: "no clips of UT-Interaction",
        expected: "files such as 17_3_0.avi in ut-interaction_segmented_set1 and _set2",
        found: files.summary(),
        fix: "unpack the segmented sets, and give the folder above them",
      })
    }
    if (others.length > 0) notes.push(`${others.length} video files are called otherwise, such as ${others[0]}`)
  },
}

function columnsOf(sequence: number): Record<string, string> {
  const first = sequence <= 10
  const fold = String(((sequence - 1) % 10) + 1)
  return {
    group: `seq${String(sequence).padStart(2, "0")}`,
    set: first ? "set1" : "set2",
    fold10: fold,
    fold_set1: first ? fold : "",
    fold_set2: first ? "" : fold,
    split_seq: Number(fold) <= 7 ? "train" : "test",
    split_cross_scene: first ? "train" : "test",
  }
}
