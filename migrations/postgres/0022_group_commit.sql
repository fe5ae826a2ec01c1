-- The group commit in one turn. Its twin is sqlite/0022_group_commit.sql.

-- Keeps the epoch from moving until the transaction ends, as the first statements of a recording do, and says what it is. Each statement
-- of a volatile function sees what is committed when it begins: the epoch is read after the lock was granted.
CREATE FUNCTION held_epoch() RETURNS BIGINT LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(4832901770155213);
    RETURN (SELECT number FROM epoch WHERE id = 1);
END
$$;

-- Undoes a batch that rests on what is not so any more; an operator may read this in the server's log.
CREATE FUNCTION begin_again() RETURNS BIGINT LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RAISE EXCEPTION 'a batch of certificates begins again: the epoch, the end of its audit chain or an order has changed';
END
$$;
