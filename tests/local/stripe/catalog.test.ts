import assert from "node:assert/strict";
import { ensureCatalog } from "../../../local/stripe/catalog.ts";
import { eventTypes, ROWS, withStripe } from "./emulation.ts";

Deno.test("the catalogue makes a product a plan and a price a row", () =>
  withStripe(async ({ stripe }) => {
    const entries = await ensureCatalog(stripe, ROWS);
    const { data } = await stripe.prices.list({
      lookup_keys: ROWS.map(({ lookupKey }) => lookupKey),
      expand: ["data.tiers", "data.product"],
    });
    const found = data.map(({ lookup_key, product, recurring, tiers, tiers_mode }) => ({
      lookup_key,
      product: typeof product === "object" && !product.deleted ? product.name : null,
      interval: recurring?.interval,
      tiers_mode,
      tiers: tiers?.map(({ up_to, flat_amount, unit_amount }) => [up_to, flat_amount, unit_amount]),
    }));
    assert.deepEqual(found.reverse(), [
      {
        lookup_key: "seatkeeper_pro_monthly",
        product: "Pro",
        interval: "month",
        tiers_mode: "graduated",
        tiers: [[3, 2000, 0], [null, null, 700]],
      },
      {
        lookup_key: "seatkeeper_pro_yearly",
        product: "Pro",
        interval: "year",
        tiers_mode: "graduated",
        tiers: [[3, 20_000, 0], [null, null, 7000]],
      },
    ]);
    assert.deepEqual(entries.map(({ product }) => product), ["seatkeeper_pro", "seatkeeper_pro"]);
  }));

Deno.test("run again, the catalogue changes nothing", () =>
  withStripe(async ({ stripe }) => {
    const first = await ensureCatalog(stripe, ROWS);
    const events = await eventTypes(stripe);
    assert.deepEqual(await ensureCatalog(stripe, ROWS), first);
    assert.deepEqual(await eventTypes(stripe), events);
  }));

Deno.test("other amounts make a new price, which takes the lookup key", () =>
  withStripe(async ({ stripe }) => {
    const [before, yearly] = await ensureCatalog(stripe, ROWS);
    const dearer = ROWS.map((row, index) => index === 0 ? { ...row, seatAmount: 800 } : row);
    const [after, same] = await ensureCatalog(stripe, dearer);
    assert.notEqual(after?.price, before?.price);
    assert.equal(same?.price, yearly?.price);
    const { data } = await stripe.prices.list({ lookup_keys: ["seatkeeper_pro_monthly"] });
    assert.deepEqual(data.map(({ id }) => id), [after?.price]);
    assert.equal((await stripe.prices.retrieve(before?.price ?? "")).lookup_key, null);
  }));

Deno.test("what was renamed or switched off by hand is put right", () =>
  withStripe(async ({ stripe }) => {
    const [entry] = await ensureCatalog(stripe, ROWS);
    await stripe.products.update("seatkeeper_pro", { name: "Other", active: false });
    await stripe.prices.update(entry?.price ?? "", { active: false });
    const [again] = await ensureCatalog(stripe, ROWS);
    assert.equal(again?.price, entry?.price);
    assert.equal((await stripe.prices.retrieve(entry?.price ?? "")).active, true);
    const product = await stripe.products.retrieve("seatkeeper_pro");
    assert.deepEqual([product.name, product.active], ["Pro", true]);
  }));

Deno.test("several at once agree on the prices", () =>
  withStripe(async ({ stripe }) => {
    const runs = await Promise.all(Array.from({ length: 8 }, () => ensureCatalog(stripe, ROWS)));
    for (const entries of runs) assert.deepEqual(entries, runs[0]);
    assert.equal((await stripe.prices.list({ limit: 100 })).data.length, ROWS.length);
  }));

Deno.test("a plan without included seats has one tier", () =>
  withStripe(async ({ stripe }) => {
    const [row] = ROWS;
    assert(row !== undefined);
    await ensureCatalog(stripe, [{ ...row, includedSeats: 0, baseAmount: 0 }]);
    const { data: [price] } = await stripe.prices.list({ expand: ["data.tiers"] });
    assert.deepEqual(price?.tiers?.map(({ up_to, unit_amount }) => [up_to, unit_amount]), [
      [null, 700],
    ]);
  }));
