import { playHealing } from "./demo/healing.ts";
import { playMainJob } from "./demo/main_job.ts";
import { Story } from "./demo/story.ts";
import { connect } from "./demo/world.ts";
import { startStack } from "./stack.ts";

/**
 * `npm run demo`: the main job on a stack of its own, and how it heals after crashes, losses and
 * damage; told step by step with the numbers before and after. Exits 0 only if every number was
 * right.
 */
async function demo(): Promise<number> {
  console.log("Starting a stack of the demo's own ...");
  const stack = await startStack({ dataDir: null, ports: "free" });
  const world = connect(stack);
  const story = new Story();
  try {
    await playMainJob(world, story);
    await playHealing(world, story);
  } finally {
    await world.close();
    await stack.stop();
  }
  console.log(story.isRight ? "\nEvery number is right." : `\n${story.wrong} numbers are wrong.`);
  return story.isRight ? 0 : 1;
}

Deno.exit(await demo());
