"""Virtual wearables: a recording as Bluetooth LE devices would send it."""
