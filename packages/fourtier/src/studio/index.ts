/**
 * `fourtier studio`: the page that goes from a webcam and a folder of clips to a working recogniser, with this machine behind it.
 *
 * ```
 * app.ts ─┬─ guard.ts       who is answered
 *         ├─ upload.ts      files that come in
 *         ├─ recordings.ts  clips that come in while they are recorded
 *         ├─ page.ts        the built page
 *         └─ studio.ts ─┬─ collection.ts   clips and labels on disk (`table.ts`)
 *                       ├─ measures.ts  ─┐
 *                       ├─ training.ts  ─┼─ child.ts ═ job.child.ts ─ jobs.ts: the work itself, in processes of its own
 *                       ├─ describing.ts ┘
 *                       ├─ answers.ts      what is said of single clips
 *                       └─ outcome.ts      what a training came to
 * ```
 *
 * @module
 */

export { type ServeStudioOptions, type StudioServer, serveStudio } from "./server.ts"
