package sqlite

import "database/sql"

// kept is a statement of the writer's connection, prepared when it is first needed.
func (w *writer) kept(statement string) (*sql.Stmt, error) {
	if stmt := w.more[statement]; stmt != nil {
		return stmt, nil
	}
	stmt, err := w.conn.PrepareContext(background, statement)
	if err != nil {
		return nil, err
	}
	if w.more == nil {
		w.more = map[string]*sql.Stmt{}
	}
	w.more[statement] = stmt
	return stmt, nil
}

func (w *writer) dropKept() {
	for _, stmt := range w.more {
		_ = stmt.Close()
	}
	w.more = nil
}
