/* Layout of a lane: see KnLane. */
