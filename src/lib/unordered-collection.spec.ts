import fc from 'fast-check';
import { UnorderedCollection } from './unordered-collection.js';

it('UnorderedCollection holds the added items that were not removed, also after repeated removal', () => {
  const steps = fc.array(fc.record({ isAdding: fc.boolean(), which: fc.nat(20) }), { maxLength: 60 });
  fc.assert(
    fc.property(steps, (all) => {
      const collection = new UnorderedCollection<number>();
      const model = new Set<number>();
      const takers: [number, () => void][] = [];
      for (const [item, { isAdding, which }] of all.entries()) {
        if (isAdding) {
          takers.push([item, collection.add(item)]);
          model.add(item);
        } else {
          const [taken, take] = takers[which % Math.max(1, takers.length)] ?? [];
          take?.();
          if (taken !== undefined) model.delete(taken);
        }
        expect(collection.items()).toHaveLength(model.size);
      }
      expect(collection.items().sort((a, b) => a - b)).toEqual([...model].sort((a, b) => a - b));
    }),
  );
});

it('UnorderedCollection can hold an item twice and removes it once per removal', () => {
  const collection = new UnorderedCollection<string>();
  const [first] = [collection.add('a'), collection.add('a')];
  first();
  first();
  expect(collection.items()).toEqual(['a']);
});
