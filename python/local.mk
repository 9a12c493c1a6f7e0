# SPDX-License-Identifier: MIT
# The Python module: nothing to compile. It is installed where the interpreter that configure found
# looks; "make install pythondir=DIR" takes another place, and "make install pythonlibdir=" one that
# does not remember where the library is.
python_sources = \
	python/bstream/__init__.py \
	python/bstream/_deadline.py \
	python/bstream/_ends.py \
	python/bstream/_lend.py \
	python/bstream/_library.py \
	python/bstream/_mailbox.py \
	python/bstream/_names.py \
	python/bstream/_stat.py \
	python/bstream/aio.py \
	python/bstream/errors.py
dist_doc_DATA += doc/python.md
EXTRA_DIST += $(python_sources) python/bstream/py.typed python/bstream/_where.py.in

if HAVE_PYTHON
pkgpython_PYTHON = $(python_sources)
pkgpython_DATA = python/bstream/py.typed
nodist_pkgpython_PYTHON = python/bstream/_where.py
noinst_DATA = python/bstream/_where.py
CLEANFILES += python/bstream/_where.py
pythonlibdir = $(libdir)

# Made anew by each install: the directory may be given there.
python/bstream/_where.py: $(srcdir)/python/bstream/_where.py.in always-made
	$(AM_V_GEN)$(MKDIR_P) python/bstream && \
	$(SED) -e 's|@libdir[@]|$(pythonlibdir)|' -e 's|@VERSION[@]|$(VERSION)|' \
		$(srcdir)/python/bstream/_where.py.in >$@.tmp && \
	if cmp -s $@.tmp $@; then rm -f $@.tmp; else mv $@.tmp $@; fi
always-made:
endif
