import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

/**
 * Tests run the sources of all packages, not what was built of them. A condition of `exports` would do as well, but Vitest hands
 * conditions down to worker threads and child processes, which run what was built.
 */
const packages = fileURLToPath(new URL("packages", import.meta.url))
const alias = [
  { find: /^(?:@fourtier\/)?(tensor|core|puppets|fourtier)$/, replacement: `${packages}/$1/src/index.ts` },
  { find: /^(?:@fourtier\/)?(tensor|core|puppets|fourtier)\/(\w+)$/, replacement: `${packages}/$1/src/$2/index.ts` },
  { find: "#engine", replacement: `${packages}/tensor/src/runtime/engine.node.ts` },
]

const ALL = ["packages/*/tests/**/*.test.ts", "tests/**/*.test.ts"]

/** Tests that `npm run test:unit` leaves out. */
export const LONG = [
  // they start worker threads, child processes or a browser, which run the compiled code
  "packages/fourtier/tests/deploy/detect.test.ts",
  "packages/fourtier/tests/deploy/detector.test.ts",
  "packages/fourtier/tests/deploy/export.test.ts",
  "packages/fourtier/tests/deploy/live.test.ts",
  "packages/fourtier/tests/deploy/recognizer.test.ts",
  "packages/fourtier/tests/deploy/segment.test.ts",
  "packages/fourtier/tests/describe/cli.test.ts",
  "packages/fourtier/tests/describe/example-server.test.ts",
  "packages/fourtier/tests/describe/processes.test.ts",
  "packages/fourtier/tests/encoders/bench.test.ts",
  "packages/fourtier/tests/encoders/precision.test.ts",
  "packages/fourtier/tests/experiment/resume.test.ts",
  "packages/fourtier/tests/features/extract.test.ts",
  "packages/fourtier/tests/mpi/mpirun.test.ts",
  "packages/fourtier/tests/studio/describing.test.ts",
  "packages/fourtier/tests/studio/server.test.ts",
  "packages/fourtier/tests/util/objects.test.ts",
  "packages/fourtier/tests/video/annotate.test.ts",
  "packages/fourtier/tests/video/abort.test.ts",
  "packages/fourtier/tests/video/corrupt.test.ts",
  "packages/fourtier/tests/video/doctor.test.ts",
  "packages/fourtier/tests/video/keyframes.test.ts",
  "packages/fourtier/tests/video/pool.test.ts",
  "packages/fourtier/tests/shards/killed.test.ts",
  "tests/browser/**/*.test.ts",
  "tests/cli/**/*.test.ts",
  "tests/e2e/**/*.test.ts",
  "tests/examples/**/*.test.ts",
  "tests/package/**/*.test.ts",
  "tests/puppets/company.test.ts",
  "tests/puppets/render.test.ts",
  "tests/puppets/tracks.test.ts",
  "tests/puppets/takes.test.ts",
  "tests/structure/**/*.test.ts",
  // they take seconds each
  "packages/core/tests/metrics/intervals.test.ts",
  "packages/core/tests/metrics/sklearn.test.ts",
  "packages/core/tests/train/align.test.ts",
  "packages/core/tests/train/detect.test.ts",
  "packages/core/tests/train/evidence.test.ts",
  "packages/core/tests/train/finetune.test.ts",
  "packages/core/tests/train/parallel.test.ts",
  "packages/fourtier/tests/describe/batch.test.ts",
  "packages/fourtier/tests/describe/divided.test.ts",
  "packages/fourtier/tests/describe/faults.test.ts",
  "packages/fourtier/tests/describe/odd-batches.test.ts",
  "packages/fourtier/tests/describe/odd-servers.test.ts",
  "packages/fourtier/tests/detection/compare.test.ts",
  "packages/fourtier/tests/encoders/checkpoint/hostile.test.ts",
  "packages/fourtier/tests/encoders/frozen.test.ts",
  "packages/fourtier/tests/encoders/movenet.test.ts",
  "packages/fourtier/tests/features/store.test.ts",
  "packages/fourtier/tests/people/embedded.test.ts",
  "packages/fourtier/tests/text/use.test.ts",
  "packages/fourtier/tests/video/test-part.test.ts",
  "packages/tensor/tests/random.test.ts",
  "tests/gradcheck/**/*.test.ts",
  "tests/leak/**/*.test.ts",
  "tests/parity/**/*.test.ts",
]

export default defineConfig({
  resolve: { alias },
  test: {
    setupFiles: [fileURLToPath(new URL("tests/own-cache.ts", import.meta.url))],
    testTimeout: 180_000,
    hookTimeout: 180_000,
    pool: "forks",
    maxWorkers: 2,
    projects: [
      // the files of a worker share what they import: half the time
      { extends: true, test: { name: "unit", include: ALL, exclude: LONG, isolate: false } },
      { extends: true, test: { name: "long", include: LONG } },
    ],
    coverage: {
      provider: "v8",
      include: ["packages/*/src/**/*.ts"],
      reporter: ["text", "html"],
    },
  },
})
