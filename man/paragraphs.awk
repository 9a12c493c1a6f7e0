# SPDX-License-Identifier: MIT
# scdoc puts a .P before and after each block, also where it separates nothing, and mandoc warns of each. This
# takes those out that stand behind or before a heading, and moves those at the end of an indented block
# behind it. What groff and mandoc print is the same.
/^\.P$/ { held = !fresh; next }
/^\.RE$/ { print; fresh = 0; next }
{
	if (held && !/^\.S[HS]/)
		print ".P"
	held = 0
	print
	fresh = /^\.(SH|SS|TH)/
}
