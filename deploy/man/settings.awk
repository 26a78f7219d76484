# picam.conf(5) from the default configuration: one paragraph a setting, with what it takes and its default.
function roff(text) {
    gsub(/\\/, "\\e", text)
    gsub(/-/, "\\-", text)
    gsub(/"/, "\\(dq", text)
    sub(/^[.']/, "\\\\\\&&", text)
    return text
}
BEGIN {
    print ".TH PICAM.CONF 5 2026-11-23 picam"
    print ".SH NAME\npicam.conf \\- settings of picam's programs"
    print ".SH SYNOPSIS\n.I /etc/picam/picam.conf"
    print ".SH DESCRIPTION"
    print "A TOML file that both programs read. The stronger goes first: flags"
    print ".RB ( \"\\-\\-stream.size 1280x720\" ),"
    print "variables"
    print ".RB ( PICAM_STREAM_SIZE=1280x720 ),"
    print "this file, the defaults below. An unknown setting, or a value out of range, stops the program with one sentence."
    print "After a change:"
    print ".BR \"systemctl restart picam.target\" ."
    print ".PP\nA further camera"
    print ".RB ( \"picamctl camera add garage 8443\" )"
    print "reads the same file and, over it, variables from"
    print ".IR /etc/picam/garage.env ,"
    print "one on a line; so does the first from"
    print ".IR /etc/picam/pi.env ."
    print ".SH SETTINGS"
}
/^\[/ {section = substr($0, 2, length($0) - 2) "."}
/^# / {help = substr($0, 3)}
/^#[a-z]/ {
    line = substr($0, 2)
    split(line, parts, / = /)
    print ".TP\n.B " roff(section line)
    print roff(help) "."
}
END {
    print ".SH FILES"
    print ".I /etc/picam/users\n(passwords),\n.I /etc/picam/nginx/\n(what\n.BR picamctl (8)\nwrites for nginx),"
    print ".I /etc/picam/NAME.env\n(variables of one camera)."
    print ".SH NOTES\nThe services see neither /home nor /root, and a /tmp of their own:"
    print ".B camera.file\nhas to be elsewhere, and so has"
    print ".BR camera.feed ,\nfor which\n.I /run/picam\\-feed\nis there: for programs in group picam."
    print "They have no network: what gives pictures from elsewhere is another program. The first"
    print ".I .env\nfile of a camera takes a restart:"
    print ".BR \"systemctl restart picam@garage.target\" ."
    print ".SH SEE ALSO\n.BR picam\\-streamd (8),\n.BR picam\\-snapshot (8),\n.BR picamctl (8)"
}
