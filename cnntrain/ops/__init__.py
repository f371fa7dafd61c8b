"""Operations on arrays: the mathematics of the layers, without their bookkeeping."""
