"""Pictures and video to faces, in FER2013's frame; drawing what was found."""
